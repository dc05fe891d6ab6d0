//go:build linux

// Bench measures gpm beside pm2 7, in one run on one machine, and prints a
// markdown table with the targets gpm has set itself.
//
//	go run ./bench          the whole of it, some minutes
//	go run ./bench -quick   fewer apps and repetitions, to see that it works
//
// Both managers get a private home and the same apps: shell scripts that become
// `sleep`. Everything is seen from outside: commands are timed as whole
// processes, the rest is read from /proc. pm2 comes from the npm registry into
// the user's cache directory; of it only the commands are used.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"gpm/testprog"
)

// size is how much of everything is measured.
type size struct {
	apps, many int           // apps of both managers; those of gpm alone on top
	lines      int           // of 100 bytes, printed by one app at full speed
	runs       int           // repetitions of a timed command, and apps crashed
	idle       time.Duration // how long idle CPU is watched
	settle     time.Duration // between a change and looking at memory
}

var (
	whole = size{apps: 100, many: 4900, lines: 10_000_000, runs: 20, idle: 20 * time.Second, settle: 3 * time.Second}
	quick = size{apps: 20, many: 300, lines: 1_000_000, runs: 5, idle: 3 * time.Second, settle: time.Second}
)

func main() {
	short := flag.Bool("quick", false, "fewer apps and repetitions")
	lines := flag.Int("flood", 0, "be the app that prints so many lines")
	rate := flag.Int("paced", 0, "be the app that prints so many lines a second")
	onlyLogs := flag.Bool("logs", false, "only what is about logs")
	flag.Parse()
	var err error
	switch {
	case *lines > 0:
		err = flood(*lines, flag.Arg(0))
	case *rate > 0:
		err = paced(*rate)
	default:
		err = bench(*short, *onlyLogs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(short, onlyLogs bool) error {
	s := whole
	if short {
		s = quick
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	return run(ctx, s, onlyLogs)
}

func run(ctx context.Context, s size, onlyLogs bool) (err error) {
	dir, err := os.MkdirTemp("", "gpm-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	gpm, err := newGpm(dir)
	if err != nil {
		return err
	}
	pm2, err := newPm2(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gpm.end(), pm2.end()) }()

	r := &report{size: s}
	if onlyLogs {
		err = errors.Join(startEmpty(ctx, gpm), startEmpty(ctx, pm2))
	} else {
		err = measureBoth(ctx, r, gpm, pm2)
	}
	if err != nil {
		return err
	}
	if err := measureFloods(ctx, r, gpm, pm2, dir); err != nil {
		return err
	}
	if err := pm2.end(); err != nil { // the rest needs the machine to itself
		return err
	}
	if err := measurePaced(ctx, r, gpm); err != nil {
		return err
	}
	if onlyLogs {
		r.print(os.Stdout)
		return nil
	}
	if err := measureMany(ctx, r, gpm); err != nil {
		return err
	}
	r.print(os.Stdout)
	return nil
}

// startEmpty has a manager start its daemon.
func startEmpty(ctx context.Context, m *manager) error {
	_, _, err := m.run(ctx, "list")
	return err
}

func newGpm(dir string) (*manager, error) {
	progress("building gpm")
	bin, err := testprog.Build(dir, "./cmd/gpm")
	if err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "gpm-home")
	return &manager{
		name: "gpm", bin: bin, scripts: filepath.Join(dir, "gpm-apps"), marker: newMarker(1),
		env:  []string{"GPM_HOME=" + home},
		pids: func() []int { return withExe(bin) },
		start: func(files []string) ([]string, error) {
			return append([]string{"start"}, files...), nil
		},
	}, nil
}

func newPm2(ctx context.Context, dir string) (*manager, error) {
	bin, err := installPm2(ctx)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "pm2-home")
	return &manager{
		name: "pm2", bin: bin, scripts: filepath.Join(dir, "pm2-apps"), marker: newMarker(2),
		env: []string{"PM2_HOME=" + home, "PM2_DISABLE_VERSION_CHECK=true", "PM2_NO_INTERACTION=true", "PM2_DISCRETE_MODE=true"},
		// The title of its daemon, as ps shows it, ends with its home in brackets.
		pids: func() []int { return withArgument("God Daemon (" + home + ")") },
		start: func(files []string) ([]string, error) {
			config := filepath.Join(dir, "ecosystem.json")
			return []string{"start", config}, writeEcosystem(config, files)
		},
	}, nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "# "+format+"\n", args...) }
