package pm2

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// Bounds of what waits for one subscriber; a message longer than the second is
// sent to nobody.
const (
	queueLength = 4096
	queueBytes  = 16 << 20
)

// Bus sends every event to all subscribers on pub.sock; they pick by topic
// themselves. A subscriber that reads slowly loses events, which are counted; it
// delays neither the publisher nor the others. The zero value is ready.
type Bus struct {
	mu      sync.RWMutex // guards the membership of subs
	subs    map[*subscriber]bool
	dropped atomic.Uint64
}

// BusStats are a bus's figures. Dropped counts events times subscribers.
type BusStats struct {
	Subscribers int
	Dropped     uint64
}

// subscriber is one connection and what waits for it.
type subscriber struct {
	queue chan []byte
	bytes atomic.Int64 // in queue
}

// Serve accepts subscribers until ctx ends or ln is closed; it closes ln, and
// returns when all are gone.
func (b *Bus) Serve(ctx context.Context, ln net.Listener) {
	serve(ctx, ln, b.client)
}

// client writes to one subscriber until it leaves. It has nothing to say: reading
// only tells when it goes.
func (b *Bus) client(ctx context.Context, c net.Conn) {
	s := &subscriber{queue: make(chan []byte, queueLength)}
	b.add(s)
	defer b.remove(s)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer c.Close() // ends a write that nobody reads
		var void [512]byte
		for {
			if _, err := c.Read(void[:]); err != nil {
				return
			}
		}
	}()
	s.write(c, gone)
	c.Close()
	<-gone
}

func (s *subscriber) write(c net.Conn, gone <-chan struct{}) {
	for {
		select {
		case frame := <-s.queue:
			_, err := c.Write(frame)
			s.bytes.Add(-int64(len(frame)))
			if err != nil {
				return
			}
		case <-gone:
			return
		}
	}
}

// Publish queues an event for the present subscribers. The payload is encoded
// once, and not at all when nobody listens; the error is that of encoding it.
func (b *Bus) Publish(topic string, payload any) error {
	if !b.Wanted() {
		return nil
	}
	arg, err := JSON(payload)
	if err != nil {
		return err
	}
	frame := AppendMessage(nil, Text(topic), arg)
	b.mu.RLock()
	defer b.mu.RUnlock()
	for s := range b.subs {
		if !s.offer(frame) {
			b.dropped.Add(1)
		}
	}
	return nil
}

// offer says whether there was room. Two publishers at once may exceed the bytes
// by one message each: the bound is for memory, not exact.
func (s *subscriber) offer(frame []byte) bool {
	size := int64(len(frame))
	if s.bytes.Load()+size > queueBytes {
		return false
	}
	s.bytes.Add(size)
	select {
	case s.queue <- frame:
		return true
	default:
		s.bytes.Add(-size)
		return false
	}
}

// Wanted says whether anybody listens: if not, payloads need not be built.
func (b *Bus) Wanted() bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.subs) > 0
}

// Stats returns the figures.
func (b *Bus) Stats() BusStats {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return BusStats{Subscribers: len(b.subs), Dropped: b.dropped.Load()}
}

func (b *Bus) add(s *subscriber) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[*subscriber]bool{}
	}
	b.subs[s] = true
}

func (b *Bus) remove(s *subscriber) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subs, s)
}
