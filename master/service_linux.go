package master

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// service speaks to the service manager that started this process, sd_notify(3). Its zero value speaks to nobody.
type service struct {
	socket string
	alive  time.Duration // how often it wants to hear from us; 0 = never
}

// stopExtension is how much more time is asked for, again and again, as long as children are being stopped: each gets
// its own kill timeout, whatever the unit says.
const (
	stopExtension = 30 * time.Second
	stopPause     = 5 * time.Second
)

func newService() service {
	s := service{socket: os.Getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.alive = time.Duration(usec) * time.Microsecond / 3
	}
	return s
}

// tell sends one message. That it does not arrive is for the service manager to notice.
func (s service) tell(state string) {
	if s.socket == "" {
		return
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_ = unix.Sendto(fd, []byte(state), unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: s.socket}) // "@" is abstract, as Go has it
}

// report tells the service manager of readiness, of life, and of the time that an orderly end takes, until done closes.
func (s service) report(t *Table, done <-chan struct{}) {
	if s.socket == "" {
		return
	}
	serving, stopping := t.signals.serving, t.signals.stopping
	var alive, more <-chan time.Time
	if s.alive > 0 {
		tick := time.NewTicker(s.alive)
		defer tick.Stop()
		alive = tick.C
	}
	for {
		select {
		case <-serving:
			serving = nil
			s.tell("READY=1")
		case <-alive:
			t.count() // a master that hangs would hang here
			s.tell("WATCHDOG=1")
		case <-stopping:
			stopping = nil
			s.tell("STOPPING=1")
			more = time.After(0)
		case <-more:
			s.tell("EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(stopExtension.Microseconds(), 10))
			more = time.After(stopPause)
		case <-done:
			return
		}
	}
}

// Announce tells the service manager something on behalf of a process that has nothing but that to do.
func Announce(state string) { newService().tell(state) }
