package daemon

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"gpm/app"
	"gpm/logs"
	"gpm/pm2"
)

// servePM2 answers pm2's own clients on rpc.sock and pub.sock until ctx ends. gpm's commands do not need them: that they
// cannot be made keeps nothing from running.
func (d *Daemon) servePM2(ctx context.Context) {
	files := d.files()
	rpc, err := d.listenAt(files.RPC)
	if err != nil {
		d.cfg.Log.Warn("Cannot serve pm2's clients", "err", err)
		return
	}
	pub, err := d.listenAt(files.Pub)
	if err != nil {
		d.cfg.Log.Warn("Cannot serve pm2's clients", "err", errors.Join(err, rpc.Close()))
		return
	}
	view := pm2.View{Home: d.cfg.Home}
	var parts sync.WaitGroup
	defer parts.Wait()
	b := broadcast{d: d, view: view, joined: make(chan struct{}, 1), awaited: make(chan chan struct{}), followed: map[int]context.CancelFunc{}}
	parts.Go(func() { (&pm2.Server{Backend: backend{d, b.send, b.await}, View: view}).Serve(ctx, rpc) })
	parts.Go(func() { b.bus.Serve(ctx, &joining{pub, b.joined}) })
	parts.Go(func() { b.run(ctx) })
}

// listenAt makes a socket in the place of one that a dead daemon left. One that answers belongs to a pm2 that runs.
func (d *Daemon) listenAt(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		return nil, errors.Join(errors.New(path+" belongs to a pm2 that runs"), conn.Close())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	err = os.Chmod(path, 0o600)
	if err == nil {
		err = d.give(path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// joining tells of every client that connects.
type joining struct {
	net.Listener
	joined chan<- struct{}
}

// Accept implements net.Listener.
func (j *joining) Accept() (net.Conn, error) {
	c, err := j.Listener.Accept()
	if err == nil {
		select {
		case j.joined <- struct{}{}:
		default:
		}
	}
	return c, err
}

// broadcast publishes events and output while somebody subscribes, and costs nothing otherwise.
type broadcast struct {
	d        *Daemon
	bus      pm2.Bus
	view     pm2.View
	joined   chan struct{}
	awaited  chan chan struct{} // answers are about to come; closed when they will be heard
	patience time.Time          // how long nobody need have subscribed
	since    uint64             // the last event that was published
	heard    *busListener       // the messages of the apps
	active   bool
	followed map[int]context.CancelFunc // instances whose output is followed
	readers  sync.WaitGroup
	missed   missed
}

// missed is what clients did not get because they read too slowly.
type missed struct {
	before uint64    // before it came to the bus
	told   uint64    // of what the log has told
	at     time.Time // when it did
}

// missedPause is the time between two lines about it.
const missedPause = time.Minute

// tellMissed logs how much slow clients have missed, now and then, and when the last of them has left.
func (b *broadcast) tellMissed(last bool) {
	n := b.missed.before + b.bus.Stats().Dropped
	if n > b.missed.told && (last || time.Since(b.missed.at) > missedPause) {
		b.d.cfg.Log.Warn("Clients of pub.sock read too slowly", "missed", n-b.missed.told)
		b.missed.told, b.missed.at = n, time.Now()
	}
}

// idleCheck is how often it is looked whether somebody still subscribes.
const idleCheck = time.Second

func (b *broadcast) run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer b.readers.Wait()
	defer stop()
	defer b.end()
	ticker := time.NewTicker(idleCheck)
	defer ticker.Stop()
	var changed <-chan struct{} // kept until it fires: the events before are published by then
	for {
		var tick <-chan time.Time
		var messages <-chan app.Message
		var said <-chan string
		switch {
		case !b.active:
			changed = nil
		case changed == nil:
			changed = b.d.journal.Changed()
			b.publish(ctx)
		}
		if b.active {
			tick, messages, said = ticker.C, b.heard.messages, b.d.said
		}
		select {
		case <-ctx.Done():
			return
		case <-b.joined:
			if b.subscribed(ctx) {
				b.begin(ctx)
			}
		case ready := <-b.awaited:
			b.patience = time.Now().Add(joinLimit)
			b.begin(ctx)
			close(ready)
		case <-changed:
			changed = nil
		case line := <-said:
			_ = b.bus.Publish(pm2.TopicDaemon, pm2.DaemonEvent(line, time.Now())) // a failure that is logged would come back as a line
		case m := <-messages:
			b.missed.before += m.Dropped
			if b.bus.Wanted() || time.Now().Before(b.patience) && b.subscribed(ctx) {
				b.message(m)
			}
		case <-tick:
			b.tellMissed(false)
			if !b.bus.Wanted() && time.Now().After(b.patience) {
				b.end()
			}
		}
	}
}

// A client counts itself as connected before we have accepted it, and what it does next may be done by then: what
// happened in the last moments is for it too.
const (
	joinLimit = time.Second
	moments   = 250 * time.Millisecond
)

// await returns when what the apps say from now on reaches a client that has connected, accepted or not: pm2's
// trigger waits for the answers of all, for ever.
func (b *broadcast) await(ctx context.Context) {
	ready := make(chan struct{})
	select {
	case b.awaited <- ready:
		<-ready
	case <-ctx.Done():
	}
}

// begin publishes from now on.
func (b *broadcast) begin(ctx context.Context) {
	if b.active {
		return
	}
	b.active = true
	b.heard = b.d.bus.subscribe()
	b.d.said.forget()
	last, err := b.d.db.Events(0, eventBatch)
	if err != nil {
		b.d.cfg.Log.Warn("Cannot read events", "err", err)
	}
	for _, ev := range last {
		if time.Since(ev.At) > moments {
			b.since = ev.Seq
		}
	}
	for _, in := range b.d.apps.instances() {
		b.follow(ctx, in, time.Time{})
	}
}

// subscribed waits until the bus knows the client that has just connected.
func (b *broadcast) subscribed(ctx context.Context) bool {
	limit := time.After(joinLimit)
	for !b.bus.Wanted() {
		select {
		case <-ctx.Done():
			return false
		case <-limit:
			return false // it is gone again
		case <-time.After(time.Millisecond):
		}
	}
	return true
}

func (b *broadcast) end() {
	if !b.active {
		return
	}
	b.active = false
	b.tellMissed(true)
	b.d.bus.leave(b.heard)
	for id, cancel := range b.followed {
		cancel()
		delete(b.followed, id)
	}
}

// publish sends the events since the last look.
func (b *broadcast) publish(ctx context.Context) {
	events, err := b.d.db.Events(b.since, eventBatch)
	if err != nil {
		b.d.cfg.Log.Warn("Cannot read events", "err", err)
		return
	}
	for _, ev := range events {
		b.since = ev.Seq
		b.event(ctx, ev)
	}
}

func (b *broadcast) event(ctx context.Context, ev app.Event) {
	if ev.Kind == app.EventDelete {
		if cancel := b.followed[ev.ID]; cancel != nil {
			cancel()
			delete(b.followed, ev.ID)
		}
	}
	name := pm2.EventName(ev.Kind)
	found := b.d.byID([]int{ev.ID})
	if name == "" || len(found) == 0 {
		return
	}
	b.follow(ctx, found[0], ev.At)
	p := b.d.process(found[0])
	b.send(pm2.TopicProcess, pm2.ProcessEvent(name, ev.Reason == byUser, p, b.view, ev.At))
}

func (b *broadcast) send(topic string, payload *pm2.Object) {
	if err := b.bus.Publish(topic, payload); err != nil {
		b.d.cfg.Log.Warn("Cannot tell pm2's clients", "topic", topic, "err", err)
	}
}

// message tells on what an app said on its channel.
func (b *broadcast) message(m app.Message) {
	from := app.Status{ID: m.ID, Name: m.Name, Namespace: m.Namespace}
	if m.Type == pm2.TopicMessage {
		b.send(m.Type, pm2.MessageEvent(from, m.Data, m.At))
		return
	}
	b.send(m.Type, pm2.AppEvent(from, m.Data, m.At))
}

// follow publishes what an instance prints after since, or from now on.
func (b *broadcast) follow(ctx context.Context, in instance, since time.Time) {
	id := in.member.ID
	if b.followed[id] != nil {
		return
	}
	ctx, b.followed[id] = context.WithCancel(ctx)
	query := logs.Query{Sources: b.d.logSources([]instance{in}, nil), Follow: true, Pump: b.d.pump, Since: since}
	if !since.IsZero() {
		query.Lines = -1
	}
	b.readers.Go(func() {
		for line, err := range query.Run(ctx) {
			if err != nil || line.File != "" {
				continue
			}
			topic := pm2.TopicOut
			if line.Stream == app.Stderr {
				topic = pm2.TopicErr
			}
			b.send(topic, pm2.LogEvent(b.d.view(in), line.Text+"\n", time.Now()))
		}
	})
}
