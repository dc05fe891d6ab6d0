package cluster

import "sync"

// mailbox is an unbounded queue of work for one goroutine: those who report to it (the owners of
// processes) must never wait for it.
type mailbox struct {
	wake chan struct{} // has a token when there is something to take

	mu     sync.Mutex // guards what follows
	queue  []func()
	closed bool
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// post adds work; false: nobody will do it any more.
func (b *mailbox) post(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.queue = append(b.queue, f)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

func (b *mailbox) take() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	work := b.queue
	b.queue = nil
	return work
}

func (b *mailbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.queue = nil
}
