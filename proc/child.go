package proc

import (
	"context"
	"errors"
	"os"
	"syscall"

	"gpm/app"
	"gpm/master"
)

// ChildConfig says which child of a master a Child stands for.
type ChildConfig struct {
	Host  master.Host
	Exits *Watcher // of the same host
	Key   string
	PID   int
	Start uint64
	// Awaited says that somebody listens to the child and will tell when it is ready.
	Awaited bool
	// Ask asks the child to end in its own way, and says whether that could be done: there is no stop signal
	// then. May be nil.
	Ask func(ctx context.Context) bool
	// Tree is the rest of its processes; nil = the leader alone is signalled
	// and killed, and what it leaves behind lives on.
	Tree *Tree
	// Drain reads the output of an ended child as far as it is there (a survivor
	// may hold the pipe open for ever) and returns its last lines; may be nil.
	Drain func(ctx context.Context) app.Words
}

// hostChild is a child under a master.
type hostChild struct {
	ChildConfig
	slot   *slot
	killed bool // by us: no out-of-memory kill
}

// NewChild makes the Child of a process that the master has spawned or adopted.
func NewChild(cfg ChildConfig) Child {
	return &hostChild{ChildConfig: cfg, slot: cfg.Exits.slot(cfg.Key)}
}

func (c *hostChild) PID() int                { return c.ChildConfig.PID }
func (c *hostChild) Start() uint64           { return c.ChildConfig.Start }
func (c *hostChild) Awaited() bool           { return c.ChildConfig.Awaited }
func (c *hostChild) Exited() <-chan struct{} { return c.slot.done }

func (c *hostChild) Exit() app.Exit {
	exit := appExit(c.slot.exit)
	exit.OOM = exit.Signal == "SIGKILL" && !c.killed && c.Tree.oomKilled()
	return exit
}

func (c *hostChild) Lingers() bool { return c.Tree.lingers() }

// Terminate signals the others first, deepest first: a shell that sees its
// children die of the signal ends by itself, one that dies first orphans them.
func (c *hostChild) Terminate(ctx context.Context, signal string) error {
	sig, err := ParseSignal(signal)
	if err != nil {
		return err
	}
	if c.Ask != nil && c.Ask(ctx) {
		return nil
	}
	c.killed = c.killed || sig == syscall.SIGKILL
	err = c.Tree.signal(sig)
	return errors.Join(err, c.signal(ctx, sig, c.Tree != nil && byGroup))
}

func (c *hostChild) Kill(ctx context.Context) error {
	c.killed = true
	if c.Tree == nil {
		return c.signal(ctx, syscall.SIGKILL, false)
	}
	return c.Tree.kill(ctx, func(sig syscall.Signal) error {
		return c.signal(ctx, sig, sig == syscall.SIGKILL)
	})
}

// signal reaches the leader through the master, who knows whether the pid is
// still its own.
func (c *hostChild) signal(ctx context.Context, sig syscall.Signal, group bool) error {
	err := c.Host.Signal(ctx, c.Key, int(sig), group)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

func (c *hostChild) Finish(ctx context.Context) (app.Words, error) {
	left := c.killRest(ctx)
	var words app.Words
	if c.Drain != nil {
		words = c.Drain(ctx)
	}
	if ctx.Err() != nil {
		return words, context.Cause(ctx)
	}
	return words, left
}

func (c *hostChild) Release(ctx context.Context) error {
	err := c.Host.Release(ctx, c.Key)
	c.Exits.forget(c.Key)
	c.Tree.close()
	return err
}

func (c *hostChild) killRest(ctx context.Context) error {
	if c.Tree == nil {
		return nil
	}
	if byGroup {
		return c.signal(ctx, syscall.SIGKILL, true)
	}
	return c.Tree.kill(ctx, nil)
}
