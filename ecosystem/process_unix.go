//go:build unix

package ecosystem

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// ownTree makes the process the leader of a group that dies with it when the context ends.
func ownTree(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// result is an extra descriptor of the process, apart from all that it prints.
type result struct {
	arg  string // what load.js is told
	r, w *os.File
}

func openResult(cmd *exec.Cmd) (*result, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{w}
	return &result{arg: "3", r: r, w: w}, nil
}

// read returns the line that the process writes. Once ended is closed, only what is in the pipe
// counts: a grandchild may hold its other end.
func (r *result) read(ended <-chan struct{}) []byte {
	_ = r.w.Close()
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ended:
			_ = r.r.SetReadDeadline(time.Now().Add(exitGrace / 10))
		case <-stop:
		}
	}()
	var data []byte
	buf := make([]byte, 64<<10)
	for len(data) <= maxResult && !bytes.HasSuffix(data, []byte("\n")) {
		n, err := r.r.Read(buf)
		data = append(data, buf[:n]...)
		if err == io.EOF || err != nil {
			break
		}
	}
	close(stop)
	<-done
	return line(data)
}

func (r *result) close() {
	_ = r.r.Close()
	_ = r.w.Close()
}
