package pm2

import (
	"fmt"
	"time"

	"gpm/app"
)

// pm2's own numbers.
const (
	killTimeout   = 1600 * time.Millisecond
	listenTimeout = 3 * time.Second
)

// Defaults are the settings of an app that says nothing, and which of them are set: pm2's, as its environment
// variables change them.
func Defaults(getenv func(string) string) (app.Spec, app.Fields, error) {
	c := Config{Spec: app.Spec{Policy: app.DefaultPolicy(), Stdin: true}, Set: app.Fields{"stdin": true}}
	c.Spec.Policy.KillTimeout, c.Set["policy.kill_timeout"] = killTimeout, true
	c.Spec.Policy.ListenTimeout, c.Set["policy.listen_timeout"] = listenTimeout, true
	for _, f := range []struct {
		name string
		read func(*Config, value) error
	}{
		{"PM2_KILL_TIMEOUT", duration("policy.kill_timeout", func(s *app.Spec) *time.Duration { return &s.Policy.KillTimeout })},
		{"PM2_KILL_SIGNAL", text("policy.kill_signal", func(s *app.Spec) *string { return &s.Policy.KillSignal })},
		{"PM2_KILL_USE_MESSAGE", yes("shutdown_with_message", func(s *app.Spec) *bool { return &s.ShutdownWithMessage })},
		{"PM2_GRACEFUL_LISTEN_TIMEOUT", duration("policy.listen_timeout", func(s *app.Spec) *time.Duration { return &s.Policy.ListenTimeout })},
		{"EXP_BACKOFF_RESET_TIMER", duration("policy.stable_after", func(s *app.Spec) *time.Duration { return &s.Policy.StableAfter })},
		{"PM2_PROCESS_INSTANCE_VAR", text("instance_var", func(s *app.Spec) *string { return &s.InstanceVar })},
	} {
		given := getenv(f.name)
		if given == "" {
			continue
		}
		if err := f.read(&c, value{given}); err != nil {
			return c.Spec, c.Set, app.Errorf(app.CodeInvalid, "cannot use %s=%q: %w", f.name, given, err)
		}
	}
	return c.Spec, c.Set, nil
}

// Concurrency is PM2_CONCURRENT_ACTIONS, 0 when it is not set.
func Concurrency(getenv func(string) string) (int, error) {
	given := getenv("PM2_CONCURRENT_ACTIONS")
	if given == "" {
		return 0, nil
	}
	n, err := value{given}.number()
	if err == nil && n < 1 {
		err = fmt.Errorf("%d is less than 1", n)
	}
	if err != nil {
		return 0, app.Errorf(app.CodeInvalid, "cannot use PM2_CONCURRENT_ACTIONS=%q: %w", given, err)
	}
	return n, nil
}
