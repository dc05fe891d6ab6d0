package launch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gpm/app"
	"gpm/envfile"
)

// A variable whose value is one of these stands for a secret that is kept elsewhere. It is looked up
// at each start, by the daemon, and goes to the process and nowhere else.
//
//	secret://file/run/secrets/db   what the file holds; secret://file/./x is one in the working directory
//	secret://cmd/pass show db      what the command prints, in the app's directory, as its user
//	secret://env/DB_PASSWORD       a variable of the daemon itself
const (
	secretScheme = "secret://"
	fromFile     = "file"
	fromCommand  = "cmd"
	fromDaemon   = "env"
)

const (
	maxSecret     = 64 << 10 // bytes
	secretTimeout = 10 * time.Second
)

// reference takes a value apart; ok is false for one that is no reference.
func reference(value string) (kind, of string, ok bool) {
	rest, ok := strings.CutPrefix(value, secretScheme)
	if !ok {
		return "", "", false
	}
	kind, of, _ = strings.Cut(rest, "/")
	return kind, of, true
}

// HasSecrets says whether the environment of an app refers to something, or may: what its files hold is seen at a start.
func HasSecrets(spec app.Spec) bool {
	for _, value := range spec.Env {
		if _, _, ok := reference(value); ok {
			return true
		}
	}
	return len(spec.EnvFile) > 0
}

// checkReferences refuses those that can never be looked up.
func checkReferences(env map[string]string) error {
	for name, value := range env {
		kind, of, ok := reference(value)
		switch {
		case !ok:
		case kind != fromFile && kind != fromCommand && kind != fromDaemon, strings.TrimSpace(of) == "":
			return app.Errorf(app.CodeInvalid, "its variable %s is %q, which refers to nothing", name, short(value)).
				WithHint("references are secret://file/PATH, secret://cmd/COMMAND and secret://env/NAME")
		case kind == fromDaemon && !envfile.IsVariable(of):
			return app.Errorf(app.CodeInvalid, "its variable %s refers to %q, which is no variable", name, short(of))
		}
	}
	return nil
}

// WithSecrets returns the plan with what its environment refers to. It is for the moment of a start: what it returns is
// to be executed, and never to be kept or shown.
func (p Plan) WithSecrets(ctx context.Context) (Plan, error) {
	plain := slices.DeleteFunc(slices.Clone(p.Spawn.Env), func(kv string) bool {
		_, value, _ := strings.Cut(kv, "=")
		_, _, ok := reference(value)
		return ok
	})
	if len(plain) == len(p.Spawn.Env) {
		return p, nil
	}
	env := make([]string, 0, len(p.Spawn.Env))
	for _, kv := range p.Spawn.Env {
		name, value, _ := strings.Cut(kv, "=")
		if kind, of, ok := reference(value); ok {
			secret, err := p.secret(ctx, kind, of, plain)
			if err != nil {
				e := app.AsError(err)
				return p, app.Errorf(e.Code, "cannot look up its variable %s: %w", name, err).WithHint("%s", e.Hint)
			}
			kv = name + "=" + secret
		}
		env = append(env, kv)
	}
	p.Spawn.Env = env
	return p, nil
}

func (p Plan) secret(ctx context.Context, kind, of string, env []string) (string, error) {
	var data []byte
	var err error
	switch kind {
	case fromDaemon:
		value, ok := os.LookupEnv(of)
		if !ok {
			return "", app.Errorf(app.CodeNotFound, "gpm's daemon has no variable %s", of).WithHint("it has those that it was started with: gpm kill, then start it with the variable")
		}
		return value, nil
	case fromFile:
		data, err = secretFile(p.Spawn.Dir, of)
	default:
		data, err = p.secretCommand(ctx, of, env)
	}
	secret := strings.TrimRight(string(data), "\r\n")
	switch {
	case err != nil:
		return "", err
	case len(data) > maxSecret:
		return "", app.Errorf(app.CodeInvalid, "it has more than %d KiB", maxSecret>>10)
	case strings.ContainsRune(secret, 0):
		return "", app.Errorf(app.CodeInvalid, "it holds a zero byte")
	}
	return secret, nil
}

func secretFile(dir, of string) ([]byte, error) {
	path := filepath.FromSlash("/" + of)
	switch {
	case strings.HasPrefix(of, "./") || strings.HasPrefix(of, "../"):
		path = filepath.Join(dir, filepath.FromSlash(of))
	case filepath.VolumeName(filepath.FromSlash(of)) != "": // C:/x
		path = filepath.FromSlash(of)
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, app.Errorf(app.CodeInvalid, "%q is not a regular file", path)
	}
	if err != nil {
		return nil, fileError("the file", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError("the file", path, err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSecret+1))
}

// secretCommand runs a command as the process itself would, but for the variables that are not known yet.
func (p Plan) secretCommand(ctx context.Context, line string, env []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	argv, full, err := shell(lookup{cwd: p.Spawn.Dir, path: searchPath(envMap(env))}, line, nil)
	if err != nil {
		return nil, err
	}
	var out bounded
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], full)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = p.Spawn.Dir, env, &out, &said, time.Second
	actAs(cmd, p.Spawn.Credential)
	err = cmd.Run()
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, app.Errorf(app.CodeTimeout, "the command %q has not ended within %s", short(line), secretTimeout)
	case errors.Is(err, exec.ErrWaitDelay): // it left something behind that holds its output
	case err != nil:
		why, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return nil, app.Errorf(app.CodeInternal, "the command %q failed: %w: %s", short(line), err, short(why))
	}
	return out.data, nil
}

// bounded keeps a little more than a secret may have.
type bounded struct{ data []byte }

func (b *bounded) Write(p []byte) (int, error) {
	b.data = append(b.data, p[:min(len(p), maxSecret+1-len(b.data))]...)
	return len(p), nil
}

func envMap(env []string) map[string]string {
	out := make(map[string]string, len(env))
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		out[name] = value
	}
	return out
}
