package logs

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"gpm/app"
)

// The sockets of the services that take lines, on systems that have them.
const (
	JournalSocket = "/run/systemd/journal/socket"
	SyslogSocket  = "/dev/log"
)

// maxMessage is the longest message in bytes that is sent as one datagram; a longer line is sent in pieces.
const maxMessage = 48 << 10

// Datagrams sends lines to a service on this machine, one datagram each. Safe for concurrent use.
type Datagrams struct {
	path   string
	encode func(l app.LogLine, text string) []byte

	mu   sync.Mutex // held while a datagram is sent
	conn net.Conn   // nil = not connected
}

// NewJournald returns the way to systemd's journal, by its native protocol.
func NewJournald(socket string) *Datagrams { return &Datagrams{path: socket, encode: journalEntry} }

// NewSyslog returns the way to a syslog daemon, as RFC 3164 has it.
func NewSyslog(socket string) *Datagrams { return &Datagrams{path: socket, encode: syslogMessage} }

// Send sends a line. After an error it connects anew.
func (d *Datagrams) Send(l app.LogLine) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for rest := l.Text; ; {
		n := len(rest)
		if n > maxMessage {
			n = wholeRunes([]byte(rest[:maxMessage]))
		}
		if err := d.sendOne(d.encode(l, rest[:n])); err != nil {
			return err
		}
		if rest = rest[n:]; rest == "" {
			return nil
		}
	}
}

func (d *Datagrams) sendOne(b []byte) error {
	if d.conn == nil {
		c, err := net.Dial("unixgram", d.path)
		if err != nil {
			return err
		}
		d.conn = c
	}
	_ = d.conn.SetWriteDeadline(time.Now().Add(sendLimit)) // a unix socket takes one
	if _, err := d.conn.Write(b); err != nil {
		_ = d.conn.Close() // it is of no use any more
		d.conn = nil
		return err
	}
	return nil
}

// sendLimit is how long a service may take for one line.
const sendLimit = 5 * time.Second

// severity is syslog's: error for stderr, else information.
func severity(l app.LogLine) int {
	if l.Stream == app.Stderr {
		return 3
	}
	return 6
}

func journalEntry(l app.LogLine, text string) []byte {
	b := fmt.Appendf(nil, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nGPM_NAME=%s\nGPM_ID=%d\nGPM_STREAM=%s\nMESSAGE\n", severity(l), l.Name, l.Name, l.ID, l.Stream)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(text))) // so that any byte may be in it
	return append(append(b, text...), '\n')
}

const facilityUser = 1

func syslogMessage(l app.LogLine, text string) []byte {
	at := l.At
	if at.IsZero() {
		at = time.Now()
	}
	if !utf8.ValidString(text) {
		text = fmt.Sprintf("%q", text)
	}
	return fmt.Appendf(nil, "<%d>%s %s[%d]: %s", facilityUser<<3|severity(l), at.Local().Format(time.Stamp), l.Name, l.ID, text)
}

// Printer writes lines to a file that is no log file of ours, such as gpm's own output. Safe for concurrent use.
type Printer struct {
	mu sync.Mutex // held while a line is written
	to io.Writer
}

// NewPrinter returns the way to a file.
func NewPrinter(to *os.File) *Printer { return &Printer{to: to} }

// Send writes a line.
func (p *Printer) Send(l app.LogLine) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := append([]byte(l.Text), '\n')
	if l.Cut {
		b = b[:len(b)-1]
	}
	_, err := p.to.Write(b)
	return err
}
