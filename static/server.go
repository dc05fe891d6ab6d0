package static

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"gpm/app"
)

// firstFD is where passed sockets begin, sd_listen_fds(3).
const firstFD = 3

// Listen returns the first socket passed down (LISTEN_FDS, sd_listen_fds(3)), which
// is how the instances of a cluster share a port; without one it listens on addr.
// LISTEN_PID, when it is set, must be ours.
func Listen(addr string, getenv func(string) string) (net.Listener, error) {
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if pid := getenv("LISTEN_PID"); err == nil && n > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		f := os.NewFile(firstFD, "LISTEN_FDS")
		defer f.Close() // FileListener has its own copy
		ln, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("cannot use the socket that was passed down: %w", err)
		}
		return ln, nil
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, app.Errorf(app.CodeConflict, "cannot serve: %w", err).WithHint("is the port %s free?", addr)
	}
	return ln, nil
}

// Serve answers on ln until ctx ends, then accepts nothing more and lets what is
// under way finish, for at most grace.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, grace time.Duration) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := srv.Shutdown(last)
	if err != nil {
		srv.Close()
	}
	if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve: %w", e)
	}
	if err != nil {
		return fmt.Errorf("cannot finish all answers in %v: %w", grace, err)
	}
	return nil
}
