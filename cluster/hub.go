package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"gpm/app"
	"gpm/cluster/primary"
)

// Ref names one process: an instance and its incarnation.
type Ref struct {
	ID  int
	Seq uint64
}

// String is what belongs to the process is called by in the master: "3.17".
func (r Ref) String() string { return fmt.Sprintf("%d.%d", r.ID, r.Seq) }

// Keeper keeps descriptors and notes beyond the life of a daemon: the master.
type Keeper interface {
	Hold(ctx context.Context, name string, f *os.File) error
	Take(ctx context.Context, name string) (*os.File, error)
	Drop(ctx context.Context, names ...string) error
	Note(ctx context.Context, notes map[string][]byte) error
}

// keepLimit bounds one call to the keeper.
const keepLimit = 5 * time.Second

// errEnded says that a worker ended while something was awaited of it.
var errEnded = errors.New("it ended")

// errOver says that the hub has ended, because the daemon has.
var errOver = errors.New("the daemon is ending")

// hubConfig is what a hub needs. The functions must not block.
type hubConfig struct {
	app       uint64
	keeper    Keeper
	log       *slog.Logger
	spec      func() app.Spec
	ready     func(Ref)            // a worker is up, or said so itself when the app's policy wants that
	event     func(Ref, app.Event) // something worth recording
	heard     func(Heard)          // a message of an app
	listening func() bool          // whether anybody wants to know about such
	unwell    func(Ref, error)     // a worker is unhealthy; may block
	kill      func(Ref)            // SIGKILL to its tree; may block
}

// hub is the one goroutine that owns what the workers of an app share: the listening sockets with
// their steering, and the conversation with each worker. Its fields below box are touched by that goroutine
// only. Everything that has to outlive the daemon is given to the keeper before it is acted upon.
type hub struct {
	hubConfig
	box  *mailbox
	over chan struct{}  // closed when the goroutine ends
	work sync.WaitGroup // goroutines that feed the box
	ctx  context.Context

	listeners map[string]*listener
	workers   map[Ref]*worker
	tickets   primary.Tickets
	seats     map[int]int // of slots whose seat is not the first
	passing   passing
	waiters   []*waiter
	emptying  map[string]*emptying // by the socket's name
	number    int                  // the last cluster.worker.id given
	notes     map[string][]byte    // as the keeper has them
	touched   map[string]any       // what may differ from its note, by name
}

func newHub(ctx context.Context, cfg hubConfig) *hub {
	return &hub{
		hubConfig: cfg, ctx: ctx, box: newMailbox(), over: make(chan struct{}),
		listeners: map[string]*listener{}, workers: map[Ref]*worker{}, tickets: primary.Tickets{}, seats: map[int]int{},
		passing: passing{conns: map[uint64]conn{}}, notes: map[string][]byte{}, touched: map[string]any{}, emptying: map[string]*emptying{},
	}
}

// run works until the context ends. Workers notice nothing of that: the keeper has copies of all descriptors.
func (h *hub) run() {
	for h.ctx.Err() == nil {
		select {
		case <-h.ctx.Done():
		case <-h.box.wake:
			for _, f := range h.box.take() {
				f()
				h.settle()
			}
		}
	}
	h.finish()
	h.box.close()
	close(h.over)
	for _, w := range h.workers {
		w.close()
	}
	h.work.Wait()
	for _, l := range h.listeners {
		l.Detach()
	}
}

// passLimit is how long the end of a daemon waits for connections that are on their way to a worker.
const passLimit = time.Second

// finish passes on what was accepted here, and accepts no more: what waits in the sockets is safe there.
func (h *hub) finish() {
	for _, l := range h.listeners {
		l.stopAccepting()
	}
	for _, e := range h.emptying {
		e.leave = false
		h.cease(e)
	}
	limit := time.After(passLimit)
	for len(h.emptying)+len(h.passing.conns) > 0 {
		select {
		case <-limit:
			return
		case <-h.box.wake:
			for _, f := range h.box.take() {
				f()
				h.settle()
			}
		}
	}
}

// settle is what follows every piece of work: what changed is kept, and whoever waited for it is told.
func (h *hub) settle() {
	h.keepNotes()
	left := h.waiters[:0]
	for _, wt := range h.waiters {
		if done, err := wt.over(h.workers[wt.ref]); done {
			wt.result <- err
		} else if wt.ctx.Err() == nil {
			left = append(left, wt)
		}
	}
	clear(h.waiters[len(left):])
	h.waiters = left
}

// do has the owner run f and waits until that is done and kept.
func (h *hub) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	if !h.box.post(f) || !h.box.post(func() { close(done) }) {
		return errOver
	}
	select {
	case <-done:
		return nil
	case <-h.over:
		return errOver
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waiter waits for a condition of one worker.
type waiter struct {
	ctx    context.Context
	ref    Ref
	over   func(*worker) (bool, error) // nil: the worker is gone
	result chan error
}

// await returns when the condition holds; its error, or the end of ctx.
func (h *hub) await(ctx context.Context, ref Ref, over func(*worker) (bool, error)) error {
	wt := &waiter{ctx: ctx, ref: ref, over: over, result: make(chan error, 1)}
	if !h.box.post(func() { h.waiters = append(h.waiters, wt) }) {
		return errOver
	}
	select {
	case err := <-wt.result:
		return err
	case <-h.over:
		return errOver
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// awaitServing waits until a worker listens on all the given addresses, and is ready and well as its app has it.
func (h *hub) awaitServing(ctx context.Context, ref Ref, addresses []string) error {
	return h.await(ctx, ref, func(w *worker) (bool, error) {
		if w == nil || w.duty == offDuty {
			return true, errEnded
		}
		return w.mayTakeOver() && w.servesAll(addresses), nil
	})
}

// awaitEnd waits until a worker's channel has ended: it has closed its servers, and every connection is done.
func (h *hub) awaitEnd(ctx context.Context, ref Ref) error {
	return h.await(ctx, ref, func(w *worker) (bool, error) { return w == nil || w.duty == offDuty, nil })
}

// serving returns the addresses that a worker listens on.
func (h *hub) serving(ref Ref) (addresses []string, err error) {
	err = h.do(h.ctx, func() {
		if w := h.workers[ref]; w != nil {
			addresses = w.serving()
		}
	})
	return addresses, err
}

// call runs a keeper's method with a limit.
func (h *hub) call(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), keepLimit) // also for the last things of a daemon that ends
	defer cancel()
	return f(ctx)
}
