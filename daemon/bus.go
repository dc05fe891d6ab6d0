package daemon

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gpm/app"
	"gpm/cluster"
	"gpm/ipc"
)

// busQueue is how many messages wait for one listener; what comes more is counted and dropped, so that a slow
// listener never holds an app up.
const busQueue = 4096

// bus tells the messages of apps on to whoever listens. The zero value is ready.
type bus struct {
	count atomic.Int32 // of listeners

	mu        sync.Mutex // guards what follows
	listeners map[*busListener]bool
}

type busListener struct {
	messages chan app.Message
	dropped  uint64 // since the last message that was not; guarded by bus.mu
}

func (b *bus) hasListeners() bool { return b.count.Load() > 0 }

func (b *bus) subscribe() *busListener {
	l := &busListener{messages: make(chan app.Message, busQueue)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = map[*busListener]bool{}
	}
	b.listeners[l] = true
	b.count.Add(1)
	return l
}

func (b *bus) leave(l *busListener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners, l)
	b.count.Add(-1)
}

// publish never blocks.
func (b *bus) publish(a *application, m cluster.Heard) {
	spec := a.spec()
	out := app.Message{At: time.Now(), Type: m.Type, ID: m.Ref.ID, Name: spec.Name, Namespace: spec.Namespace, Data: m.Data}
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.listeners {
		out.Dropped = l.dropped
		select {
		case l.messages <- out:
			l.dropped = 0
		default:
			l.dropped++
		}
	}
}

// getBus sends the messages of all apps until the listener goes away.
func (d *Daemon) getBus(ctx context.Context, _ ipc.None, send func(app.Message) error) error {
	l := d.bus.subscribe()
	defer d.bus.leave(l)
	for {
		select {
		case m := <-l.messages:
			if err := send(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}
