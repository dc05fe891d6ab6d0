package cluster

import (
	"context"
	"errors"
	"os"
	"strconv"

	"gpm/agent"
	"gpm/app"
	"gpm/cluster/primary"
	"gpm/cluster/sockets"
	"gpm/ipc/channel"
	"gpm/probe"
)

// Need says what a process that is about to start can make use of.
type Need struct {
	Runtime   string // "node", "bun" or "deno"; "" speaks no protocol
	Clustered bool   // it is to be a worker of Node's cluster module
	Agent     string // path of the agent's script; "" = without it
	Ready     app.Ready
	SaysReady bool       // it says so itself when it is ready: by the message "ready", or READY=1 to NOTIFY_SOCKET
	Notify    bool       // it gets a NOTIFY_SOCKET
	Well      app.Probe  // its health check
	From      probe.From // on whose behalf it is asked whether it is ready
	Listen    []string   // addresses of sockets that it takes by LISTEN_FDS
}

// IsNothing says that the process has to do with nobody.
func (n Need) IsNothing() bool {
	return n.Runtime == "" && len(n.Listen) == 0 && !n.Notify && n.Ready.IsZero()
}

// Gear is what a process is started with.
type Gear struct {
	Files   map[int]string              // its descriptors, by the names they are kept under
	Env     func(env []string) []string // adds what the process needs to know
	Awaited bool                        // it will be told when it is up
}

// firstFD is the first descriptor that is given.
const firstFD = 3

// prepare makes a worker of a process that is about to start.
func (h *hub) prepare(ctx context.Context, ref Ref, slot int, as role, need Need) (gear Gear, err error) {
	done := h.do(ctx, func() {
		w := &worker{Ref: ref, slot: slot, keys: map[string]bool{}, own: map[string]bool{}}
		w.awaits = awaited{Ready: need.Ready, Said: need.SaysReady, From: need.From}
		if as == hidden {
			w.duty = trial
			w.awaits.Well = need.Well
		}
		w.seat = h.seatFor(w)
		if gear, err = h.equip(w, need); err != nil {
			h.remove(w)
			return
		}
		h.workers[ref] = w
		h.touchWorker(ref)
		h.listen(w)
	})
	return gear, errors.Join(done, err)
}

func (h *hub) equip(w *worker, need Need) (Gear, error) {
	gear := Gear{Files: map[int]string{}, Awaited: !need.Ready.IsZero() || need.SaysReady}
	var add []func([]string) []string
	if err := h.give(w, need.Listen, &gear); err != nil {
		return gear, err
	}
	if len(need.Listen) > 0 {
		add = append(add, func(env []string) []string { return sockets.ListenEnv(env, 0, need.Listen) })
	}
	fd := firstFD + len(need.Listen)
	if runtime, ok := runtimes[need.Runtime]; ok {
		w.state = primary.Start(runtime)
		if err := h.openChannel(w); err != nil {
			return gear, err
		}
		if need.Clustered {
			h.number++
			w.number, gear.Awaited = h.number, true
		}
		add = append(add, channelEnv(fd, w.number))
		gear.Files[fd] = lentName(channelName(w.Ref))
		fd++
	}
	if need.Notify {
		variable, err := h.openNotify(w)
		if err != nil {
			return gear, err
		}
		add = append(add, func(env []string) []string { return append(env, variable) })
	}
	if need.Agent != "" {
		if err := h.openAgent(w); err != nil {
			return gear, err
		}
		at := fd
		add = append(add, func(env []string) []string { return agent.Inject(env, need.Agent, at) })
		gear.Files[fd] = lentName(agentName(w.Ref))
	}
	gear.Env = func(env []string) []string {
		for _, f := range add {
			env = f(env)
		}
		return env
	}
	return gear, nil
}

// channelEnv is what Node's child_process tells its children.
func channelEnv(fd, number int) func([]string) []string {
	return func(env []string) []string {
		env = append(env, "NODE_CHANNEL_FD="+strconv.Itoa(fd), "NODE_CHANNEL_SERIALIZATION_MODE=json")
		if number > 0 {
			env = append(env, "NODE_UNIQUE_ID="+strconv.Itoa(number))
		}
		return env
	}
}

func (h *hub) openChannel(w *worker) error {
	ours, err := h.pair(channelName(w.Ref))
	if err != nil {
		return err
	}
	w.ch, err = channel.New(ours, channel.Options{Framing: w.state.Runtime.Framing(), Long: h.halfway(w.Ref)})
	return err
}

func (h *hub) openAgent(w *worker) error {
	ours, err := h.pair(agentName(w.Ref))
	if err == nil {
		w.agent = h.newAgent(w, ours)
	}
	return err
}

func (h *hub) newAgent(w *worker, f *os.File) *agent.Conn {
	return agent.New(f, agent.Handlers{Stats: func(s agent.Stats) { h.report(w, s) }})
}

// launched says that the process runs: its ends of the connections are its alone from now on.
func (h *hub) launched(ref Ref, pid int) {
	h.box.post(func() {
		h.drop(lentName(channelName(ref)), lentName(agentName(ref)))
		if w := h.workers[ref]; w != nil {
			w.pid = pid
			if w.ch != nil {
				w.ch.Started(pid)
			}
			h.touchWorker(ref)
			h.serves(w)
			h.awaitReady(w)
		}
	})
}

// abandon says that the process could not be started.
func (h *hub) abandon(ref Ref) {
	h.box.post(func() {
		h.drop(lentName(channelName(ref)), lentName(agentName(ref)))
		h.remove(h.workers[ref])
	})
}
