package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
)

// notifySize is more than any datagram of sd_notify(3) that matters here.
const notifySize = 4096

func notifyName(r Ref) string { return "notify/" + r.String() }

// openNotify makes the socket on which a process may say READY=1, sd_notify(3). Its name is nobody else's, and
// is known to the process alone; processes of any user can reach it.
func (h *hub) openNotify(w *worker) (variable string, err error) {
	at := fmt.Sprintf("@gpm/%s/%s", w.Ref, rand.Text())
	w.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		return "", fmt.Errorf("cannot listen for the readiness of a process: %w", err)
	}
	f, err := w.notify.File()
	if err != nil {
		return "", err
	}
	defer f.Close()
	return "NOTIFY_SOCKET=" + at, h.call(func(ctx context.Context) error { return h.keeper.Hold(ctx, notifyName(w.Ref), f) })
}

func (h *hub) resumeNotify(w *worker) error {
	f, err := h.takeFile(notifyName(w.Ref))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	conn, err := net.FilePacketConn(f)
	if err == nil {
		w.notify, _ = conn.(*net.UnixConn)
	}
	return err
}

// hearNotify waits for READY=1. It ends with the socket, which is closed after it was heard.
func (h *hub) hearNotify(w *worker) {
	buf := make([]byte, notifySize)
	for {
		n, err := w.notify.Read(buf)
		if err != nil {
			return
		}
		if isReady(buf[:n]) {
			h.box.post(func() {
				w.state.Ready = true
				h.touchWorker(w.Ref)
				if w.isUp() {
					h.ready(w.Ref)
				}
			})
		}
	}
}

// isReady reads a datagram of sd_notify(3): assignments, one a line.
func isReady(datagram []byte) bool {
	return slices.ContainsFunc(bytes.Split(datagram, []byte("\n")), func(line []byte) bool {
		return string(bytes.TrimSpace(line)) == "READY=1"
	})
}
