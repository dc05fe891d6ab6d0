package channel

import "time"

// Limits of what is written at once.
const (
	// atomicSize is what one sendmsg(2) on a Linux stream socket takes whole or
	// not at all: one socket buffer. Longer lines may be cut by a full buffer.
	atomicSize = 32 << 10
	maxBufs    = 32 // parts of one sendmsg
	maxAnswers = 64 // ACKs and NACKs waiting; a process that asks and never reads gets no more
	maxResends = 3  // of a refused handle, as Node does it
	overhead   = 64 // bytes a queued message costs besides its text
)

// handle is a descriptor on its way.
type handle struct {
	fd      int
	resends int
	done    func(error)
}

// item is one line to write.
type item struct {
	line   []byte
	handle *handle // nil: a plain message
}

func (it item) cost() int { return len(it.line) + overhead }

// batch is what to give to one sendmsg.
type batch struct {
	bufs [][]byte
	fd   int  // goes with the first byte; -1: none
	long bool // may be taken in parts
}

// outbox decides what is written next: a line begun is finished first; then answers
// to the other side's handles; then, unless a handle of ours is unanswered, the queue in order.
type outbox struct {
	part    item // the line begun; its line is what is still to write
	whole   []byte
	answers []item
	queue   fifo
	waiting item      // a handle written and not answered yet
	since   time.Time // when it was written
	bytes   int       // cost of everything here
	bufs    [maxBufs][]byte
}

func (o *outbox) push(it item) {
	o.bytes += it.cost()
	o.queue.push(it)
}

// answer queues an ACK or NACK; they pass everything else.
func (o *outbox) answer(line []byte) {
	if len(o.answers) < maxAnswers {
		o.answers = append(o.answers, item{line: line})
		o.bytes += o.answers[len(o.answers)-1].cost()
	}
}

// next returns what to write now; no buffers: nothing.
func (o *outbox) next() batch {
	switch {
	case o.part.line != nil:
		return batch{bufs: append(o.bufs[:0], o.part.line), fd: -1, long: len(o.whole) > atomicSize}
	case len(o.answers) > 0:
		return o.gather(o.answers)
	case o.waiting.handle != nil:
		return batch{}
	}
	return o.gather(o.queue.items())
}

// gather takes as many whole lines as one socket buffer holds. A handle ends the batch
// before it, for its descriptor must go with its own first byte, and the one behind it, for
// nothing may follow a handle until it is answered.
func (o *outbox) gather(items []item) batch {
	b := batch{bufs: o.bufs[:0], fd: -1}
	size := 0
	for i, it := range items {
		if i > 0 && (it.handle != nil || size+len(it.line) > atomicSize || i == maxBufs) {
			break
		}
		b.bufs = append(b.bufs, it.line)
		size += len(it.line)
		if it.handle != nil {
			b.fd = it.handle.fd
			break
		}
	}
	b.long = size > atomicSize
	return b
}

// wrote takes note that n bytes of the batch were written, and returns how many lines
// were finished.
func (o *outbox) wrote(n int, now time.Time) (lines uint64) {
	for n > 0 {
		o.begin()
		if n < len(o.part.line) {
			o.part.line = o.part.line[n:]
			return lines
		}
		n -= len(o.part.line)
		o.finish(now)
		lines++
	}
	return lines
}

// begin makes the line that next offered first the one begun.
func (o *outbox) begin() {
	switch {
	case o.part.line != nil:
		return
	case len(o.answers) > 0:
		o.part = o.answers[0]
		o.answers = o.answers[1:]
	default:
		o.part = o.queue.pop()
	}
	o.whole = o.part.line
}

func (o *outbox) finish(now time.Time) {
	done := item{line: o.whole, handle: o.part.handle}
	o.part, o.whole = item{}, nil
	if done.handle != nil {
		o.waiting, o.since = done, now // its cost stays until it is answered
		return
	}
	o.bytes -= done.cost()
	if len(o.answers) == 0 {
		o.answers = nil
	}
}

// acked returns the handle that the other side has taken; nil: none was waiting.
func (o *outbox) acked() *handle {
	h := o.waiting.handle
	if h != nil {
		o.bytes -= o.waiting.cost()
		o.waiting, o.since = item{}, time.Time{}
	}
	return h
}

// nacked puts the refused handle first again, or returns it when it was refused too often.
func (o *outbox) nacked() *handle {
	it := o.waiting
	if it.handle == nil {
		return nil
	}
	if it.handle.resends == maxResends {
		return o.acked()
	}
	it.handle.resends++
	o.waiting, o.since = item{}, time.Time{}
	o.queue.unpop(it)
	return nil
}

// clear forgets everything and returns the handles that were not answered.
func (o *outbox) clear() (lost []*handle) {
	all := append([]item{o.part, o.waiting}, o.queue.items()...)
	for _, it := range all {
		if it.handle != nil {
			lost = append(lost, it.handle)
		}
	}
	*o = outbox{}
	return lost
}

// fifo is a queue that gives its memory back when it is empty.
type fifo struct {
	buf  []item
	head int
}

func (f *fifo) items() []item { return f.buf[f.head:] }

func (f *fifo) push(it item) {
	if f.head > maxBufs && f.head > len(f.buf)/2 { // never empty: move down now and then
		n := copy(f.buf, f.buf[f.head:])
		clear(f.buf[n:])
		f.buf, f.head = f.buf[:n], 0
	}
	f.buf = append(f.buf, it)
}

func (f *fifo) pop() item {
	it := f.buf[f.head]
	f.buf[f.head] = item{}
	f.head++
	if f.head == len(f.buf) {
		f.reset()
	}
	return it
}

func (f *fifo) unpop(it item) {
	if f.head > 0 {
		f.head--
		f.buf[f.head] = it
		return
	}
	f.buf = append([]item{it}, f.buf...)
}

func (f *fifo) reset() {
	f.head = 0
	f.buf = f.buf[:0]
	if cap(f.buf) > maxBufs {
		f.buf = nil
	}
}
