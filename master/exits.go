package master

import "sync"

// exitQueue hands exits to one receiver in order and never blocks the sender: a
// daemon that is slow must not hold up the master, nor the reader of the link.
type exitQueue struct {
	c    chan Exit
	wake chan struct{} // something changed
	quit chan struct{} // the receiver has left
	done chan struct{} // the pump has ended

	mu       sync.Mutex
	list     []Exit
	finished bool // nothing more will come
	left     bool // quit is closed
}

// newExitQueue starts a queue that already holds some exits.
func newExitQueue(first []Exit) *exitQueue {
	q := &exitQueue{
		c:    make(chan Exit),
		wake: make(chan struct{}, 1),
		quit: make(chan struct{}),
		done: make(chan struct{}),
		list: first,
	}
	go q.pump()
	return q
}

func (q *exitQueue) push(e Exit) {
	q.mu.Lock()
	q.list = append(q.list, e)
	q.mu.Unlock()
	q.poke()
}

// finish lets the receiver have what is queued and then closes the channel.
func (q *exitQueue) finish() {
	q.mu.Lock()
	q.finished = true
	q.mu.Unlock()
	q.poke()
}

// leave ends the queue at once, for a receiver that has stopped receiving.
func (q *exitQueue) leave() {
	q.mu.Lock()
	if !q.left {
		q.left = true
		close(q.quit)
	}
	q.mu.Unlock()
	<-q.done
}

func (q *exitQueue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *exitQueue) take() (batch []Exit, finished bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.list = q.list, nil
	return batch, q.finished
}

func (q *exitQueue) pump() {
	defer close(q.done)
	defer close(q.c)
	for {
		batch, finished := q.take()
		for _, e := range batch {
			select {
			case q.c <- e:
			case <-q.quit:
				return
			}
		}
		if finished {
			return
		}
		select {
		case <-q.wake:
		case <-q.quit:
			return
		}
	}
}
