// Package probe asks a program a question: by HTTP, by connecting to it, or by a command. Whoever asks decides
// what the answer means.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"gpm/app"
	"gpm/errand"
)

// Dial connects to an address.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// From is on whose behalf a question is asked.
type From struct {
	Dir  string
	Env  []string     // of the process that is asked, whole
	User *errand.User // who it runs as; nil = whoever runs gpm
	Dial Dial         `json:"-"` // nil = the system's; another one reaches one of several that share an address
}

// outputKept is how much of a command's output is looked at.
const outputKept = 4 << 10

// bodyRead is how much of an answer is read, so that its sender is not disturbed.
const bodyRead = 64 << 10

// Ask returns nil for yes. An error says in a few words what is wrong. The context bounds the time.
func Ask(ctx context.Context, p app.Probe, from From) error {
	if from.Dial == nil {
		from.Dial = new(net.Dialer).DialContext
	}
	switch {
	case p.HTTP != "":
		target, err := httpTarget(p.HTTP, from.Env)
		if err != nil {
			return err
		}
		return askHTTP(ctx, target, from.Dial)
	case p.TCP != "":
		network, address, err := tcpTarget(p.TCP, from.Env)
		if err != nil {
			return err
		}
		return askTCP(ctx, network, address, from.Dial)
	case len(p.Exec) > 0:
		return askExec(ctx, p.Exec, from)
	}
	return errors.New("nothing is asked")
}

// AskFor is Ask with a limit of time, which is named when it is over.
func AskFor(ctx context.Context, limit time.Duration, p app.Probe, from From) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	err := Ask(ctx, p, from)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Check says what is wrong with a probe before it is ever asked.
func Check(p app.Probe) error {
	given := 0
	for _, is := range []bool{p.HTTP != "", p.TCP != "", len(p.Exec) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return fmt.Errorf("it needs one of http, tcp and exec, and has %d", given)
	}
	anyPort := []string{"PORT=80"}
	var err error
	switch {
	case p.HTTP != "":
		_, err = httpTarget(expand(p.HTTP, func(string) string { return "80" }), anyPort)
	case p.TCP != "":
		_, _, err = tcpTarget(expand(p.TCP, func(string) string { return "80" }), anyPort)
	case strings.TrimSpace(p.Exec[0]) == "":
		err = errors.New("its command is empty")
	}
	return err
}

// expand replaces $NAME and ${NAME}.
func expand(text string, value func(string) string) string { return os.Expand(text, value) }

// variable looks up an environment.
func variable(env []string) func(string) string {
	return func(name string) string {
		for _, kv := range env {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// httpTarget completes a URL: "/health" and "localhost:3000/health" are enough.
func httpTarget(text string, env []string) (string, error) {
	full := expand(text, variable(env))
	if strings.HasPrefix(full, "/") {
		port := variable(env)("PORT")
		if port == "" {
			return "", fmt.Errorf("cannot ask %q: the process has no PORT; give the whole URL", text)
		}
		full = "http://localhost:" + port + full
	}
	if strings.HasPrefix(full, ":") {
		full = "localhost" + full
	}
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is no URL", text)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "":
		return "", fmt.Errorf("%q is no URL of http or https", text)
	case strings.HasSuffix(u.Host, ":"):
		return "", fmt.Errorf("%q names no port: is its variable set?", text)
	}
	return full, nil
}

// askHTTP follows no redirection: that the server sends one is answer enough. Certificates are not verified: it is
// our own process that is asked, under a name that its certificate need not have.
func askHTTP(ctx context.Context, target string, dial Dial) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "gpm-health/"+app.Version)
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return inner(err)
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, bodyRead))
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s answers %s", req.URL.Redacted(), res.Status)
	}
	return err
}

// inner is what a URL error wraps: the method and the address around it are known.
func inner(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// tcpTarget completes an address: a port alone is one of this machine, a path is a Unix socket.
func tcpTarget(text string, env []string) (network, address string, err error) {
	full := strings.TrimPrefix(expand(text, variable(env)), "tcp://")
	if path := strings.TrimPrefix(full, "unix://"); strings.HasPrefix(path, "/") {
		return "unix", path, nil
	}
	if _, err := strconv.ParseUint(full, 10, 16); err == nil {
		full = ":" + full
	}
	host, port, err := net.SplitHostPort(full)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 {
		return "", "", fmt.Errorf("%q is no address like localhost:3000", text)
	}
	if host == "" {
		host = "localhost"
	}
	return "tcp", net.JoinHostPort(host, port), nil
}

func askTCP(ctx context.Context, network, address string, dial Dial) error {
	conn, err := dial(ctx, network, address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func askExec(ctx context.Context, argv []string, from From) error {
	output, err := errand.Run(ctx, errand.Command{Argv: argv, Dir: from.Dir, Env: from.Env, User: from.User, Output: outputKept})
	if err != nil {
		return fmt.Errorf("%w%s", err, errand.LastLine(output))
	}
	return nil
}
