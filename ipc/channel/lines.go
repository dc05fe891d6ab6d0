package channel

import "bytes"

// headSize is how much of a line that is too long is kept to tell what it was.
const headSize = 64

// keepSize is the largest buffer kept between two long lines.
const keepSize = 4 << 10

// lines cuts a stream into lines and keeps at most max bytes of one that has not ended.
type lines struct {
	max    int
	resync bool   // the first line may have lost its start
	rest   []byte // the start of a line that has not ended
	skip   bool   // the rest of a line too long is being dropped
}

// sink takes what lines finds. The slices are valid during the call only.
type sink interface {
	line(b []byte, first bool) // without the newline; first: it may have lost its start
	tooLong(head []byte)       // a line is dropped; head is how it begins
}

// feed cuts the next bytes.
func (l *lines) feed(p []byte, to sink) {
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.keep(p, to)
			return
		}
		l.end(p[:i], to)
		p = p[i+1:]
	}
}

// end takes the last part of a line.
func (l *lines) end(p []byte, to sink) {
	first := l.resync
	l.resync = false
	switch {
	case l.skip:
		l.skip = false
	case len(l.rest)+len(p) > l.max:
		l.drop(p, to)
	case len(l.rest) == 0:
		to.line(p, first)
	default:
		l.rest = append(l.rest, p...)
		to.line(l.rest, first)
	}
	l.forget()
}

// keep stores the start of a line.
func (l *lines) keep(p []byte, to sink) {
	switch {
	case l.skip || len(p) == 0:
	case len(l.rest)+len(p) > l.max:
		l.drop(p, to)
		l.skip = true
		l.forget()
	default:
		l.rest = append(l.rest, p...)
	}
}

func (l *lines) drop(p []byte, to sink) {
	var head [headSize]byte
	n := copy(head[:], l.rest)
	n += copy(head[n:], p)
	to.tooLong(head[:n])
}

// forget empties rest, and gives a large buffer back: a thousand channels must not each
// keep the size of their longest message.
func (l *lines) forget() {
	if cap(l.rest) > keepSize {
		l.rest = nil
	}
	l.rest = l.rest[:0]
}
