//go:build linux

// Bench measures gpm beside pm2 7, in one run on one machine, and prints a
// markdown table with the targets gpm has set itself.
//
//	go run ./bench          the whole of it, some minutes
//	go run ./bench -quick   fewer apps and repetitions, to see that it works
//	go run ./bench -cluster only the rows of clusters; they need wrk
//	go run ./bench -logs    only the rows of logs, two minutes
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
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// size is how much of everything is measured.
type size struct {
	apps, many int           // apps of both managers; those of gpm alone on top
	lines      int           // of 100 bytes, printed by one app at full speed
	runs       int           // repetitions of a timed command, and apps crashed
	idle       time.Duration // how long idle CPU is watched
	settle     time.Duration // between a change and looking at memory
	rounds     int           // turns of each manager: loads of each kind on its cluster, floods of its log
	channels   int           // workers with a channel
	messages   int           // from one that is no Node
}

var (
	whole = size{apps: 100, many: 4900, lines: 10_000_000, runs: 20, idle: 20 * time.Second, settle: 3 * time.Second, rounds: 6, channels: 1000, messages: 2_000_000}
	quick = size{apps: 20, many: 300, lines: 1_000_000, runs: 5, idle: 3 * time.Second, settle: time.Second, rounds: 2, channels: 100, messages: 500_000}
)

func main() {
	short := flag.Bool("quick", false, "fewer apps and repetitions")
	cluster := flag.Bool("cluster", false, "only what compares clusters")
	onlyLogs := flag.Bool("logs", false, "only what is about logs")
	lines := flag.Int("flood", 0, "be the app that prints so many lines")
	rate := flag.Int("paced", 0, "be the app that prints so many lines a second")
	messages := flag.Int("send", 0, "be the worker that sends so many messages")
	flag.Parse()
	s := whole
	if *short {
		s = quick
	}
	var err error
	switch {
	case *lines > 0:
		err = flood(*lines, flag.Arg(0))
	case *rate > 0:
		err = paced(*rate)
	case *messages > 0:
		err = sendMessages(*messages, flag.Arg(0))
	case *cluster:
		err = bench(s, measureClusters)
	case *onlyLogs:
		err = bench(s, measureLogs)
	default:
		err = bench(s, measureAll)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench fills a report by one of the functions below, until it is interrupted.
func bench(s size, measure func(ctx context.Context, r *report, gpm, pm2 *manager) error) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	return run(ctx, s, measure)
}

func run(ctx context.Context, s size, measure func(ctx context.Context, r *report, gpm, pm2 *manager) error) (err error) {
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
	gpm.modules = pm2.modules
	defer func() { err = errors.Join(err, gpm.end(), pm2.end()) }()

	r := &report{size: s}
	err = measure(ctx, r, gpm, pm2)
	r.print(os.Stdout) // what there is of it
	return err
}

// measureClusters is the part of it that needs a cluster of Node.
func measureClusters(ctx context.Context, r *report, gpm, pm2 *manager) error {
	if err := os.MkdirAll(gpm.scripts, 0o755); err != nil {
		return err
	}
	if err := measureWeb(ctx, r, []*manager{gpm, pm2}); err != nil {
		return err
	}
	if err := pm2.end(); err != nil {
		return err
	}
	if err := measureAgent(ctx, r, []*manager{gpm}); err != nil {
		return err
	}
	return measureConversations(ctx, r, gpm)
}

// measureConversations is gpm alone.
func measureConversations(ctx context.Context, r *report, gpm *manager) error {
	if err := measureOwnMessages(ctx, r, gpm); err != nil {
		return err
	}
	return measureChannels(ctx, r, gpm)
}

// measureLogs is the part of it that is about logs.
func measureLogs(ctx context.Context, r *report, gpm, pm2 *manager) error {
	for _, m := range []*manager{gpm, pm2} {
		if _, _, err := m.run(ctx, "list"); err != nil { // starts the daemon
			return err
		}
	}
	return measureLogPath(ctx, r, gpm, pm2)
}

// measureLogPath needs both daemons.
func measureLogPath(ctx context.Context, r *report, gpm, pm2 *manager) error {
	if err := measureFloods(ctx, r, gpm, pm2); err != nil {
		return err
	}
	if err := measureLastLines(ctx, r, gpm, pm2); err != nil {
		return err
	}
	return measurePaced(ctx, r, gpm, pm2)
}

func measureAll(ctx context.Context, r *report, gpm, pm2 *manager) error {
	if err := measureBoth(ctx, r, gpm, pm2); err != nil {
		return err
	}
	if err := measureLogPath(ctx, r, gpm, pm2); err != nil {
		return err
	}
	if err := pm2.end(); err != nil { // the rest needs the machine to itself
		return err
	}
	if err := measureMany(ctx, r, gpm); err != nil {
		return err
	}
	if _, _, err := gpm.run(ctx, "delete", "all"); err != nil {
		return err
	}
	return measureConversations(ctx, r, gpm)
}

func newGpm(dir string) (*manager, error) {
	progress("building gpm")
	bin, err := buildGpm(dir)
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

// buildGpm makes a copy of gpm as users get it, which starts faster than one by plain `go build`.
func buildGpm(dir string) (string, error) {
	if out, err := exec.Command("make", "-s", "build").CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build gpm: %w\n%s", err, out)
	}
	program, err := os.ReadFile(filepath.Join("bin", "gpm"))
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "gpm")
	return bin, os.WriteFile(bin, program, 0o755)
}

func newPm2(ctx context.Context, dir string) (*manager, error) {
	bin, err := installPm2(ctx)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "pm2-home")
	return &manager{
		name: "pm2", bin: bin, modules: filepath.Dir(filepath.Dir(bin)), scripts: filepath.Join(dir, "pm2-apps"), marker: newMarker(2),
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
