package main

import (
	"errors"
	"strconv"
	"strings"

	"gpm/app"
)

// shellLine takes one command line for the shell; an empty one takes it back.
func shellLine(field func(*app.Spec) *[]string) setter {
	return func(s *app.Spec, value string) error {
		*field(s) = nil
		if strings.TrimSpace(value) != "" {
			*field(s) = []string{value}
		}
		return nil
	}
}

// optionalText is text that may be empty, which takes a setting back.
func optionalText(field func(*app.Spec) *string) setter {
	return func(s *app.Spec, value string) error {
		*field(s) = strings.TrimSpace(value)
		return nil
	}
}

// dependency reads "db" or "db:healthy".
func dependency(s *app.Spec, value string) error {
	d, err := app.ParseDependency(value)
	s.DependsOn = append(s.DependsOn, d)
	return err
}

// hook reads "errored=https://…" or "exit=a command".
func hook(s *app.Spec, value string) error {
	event, what, ok := strings.Cut(value, "=")
	if !ok || strings.TrimSpace(what) == "" {
		return errors.New("not like errored=https://example.org/alert or exit=command")
	}
	h := app.Hook{On: app.HookEvent(event)}
	if strings.HasPrefix(what, "http://") || strings.HasPrefix(what, "https://") {
		h.URL, h.Retries = what, 2
	} else {
		h.Run = []string{what}
	}
	s.Hooks = append(s.Hooks, h)
	return nil
}

func cpuShare(s *app.Spec, value string) (err error) {
	s.Limits.CPU, err = app.ParseCPUs(value)
	return err
}

func oomScore(s *app.Spec, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < -1000 || n > 1000 {
		return errors.New("not a number from -1000 to 1000")
	}
	s.OOMScoreAdj = &n
	return nil
}
