// Prog is a set of small, badly or well behaved programs for gpm's tests, one
// sub-command each:
//
//	http                  serves its pid on $PORT (0 = any), prints "listening PORT"
//	sleep                 prints its pid and sleeps until a signal ends it
//	exit CODE [DELAY]     exits with CODE, after DELAY
//	flaky MAX             exits with a random code after a random time up to MAX
//	graceful CODE DELAY   exits with CODE, DELAY after a stop signal
//	ignoreterm            prints "ready" and ignores every signal it can
//	printer LINES RATE    prints "out 1", "err 1", "out 2" … at RATE lines a second
//	                      (0 = full speed) on each stream; LINES 0 = for ever
//	env                   prints what it was given as JSON, and exits
//
// and where sessions and signals exist:
//
//	die SIGNAL            ends by a signal's default action: "die SEGV"
//	doublefork FILE [quit]  leaves a daemon in a session of its own, its pid in FILE, that
//	                      serves $PORT if set; stays itself unless told to quit
//	forkbomb N            becomes a tree of N processes, every second one in a session of its
//	                      own, all printing their pids, ignoring stop signals and
//	                      replacing dead children
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command runs one sub-command; its error ends the program with status 2.
type command func(args []string) error

func commands() map[string]command {
	all := map[string]command{
		"http": serve, "sleep": sleep, "exit": exit, "flaky": flaky, "graceful": graceful,
		"ignoreterm": ignoreTerm, "printer": printer, "env": printEnv,
	}
	maps.Copy(all, unixCommands())
	return all
}

func main() {
	all := commands()
	if len(os.Args) < 2 || all[os.Args[1]] == nil {
		names := slices.Sorted(maps.Keys(all))
		fmt.Fprintln(os.Stderr, "usage: prog", strings.Join(names, "|"), "…")
		os.Exit(2)
	}
	if err := all[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "prog %s: %v\n", os.Args[1], err)
		os.Exit(2)
	}
}

// stopSignals are those a manager may ask an app to end with.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// errUsage means that an argument is missing or no number.
var errUsage = errors.New("wrong arguments, see the package comment")

func sleep([]string) error {
	fmt.Println("pid", os.Getpid())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, stopSignals...)
	<-stop
	return nil
}

func exit(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return errUsage
	}
	if len(args) > 1 {
		delay, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		time.Sleep(delay)
	}
	os.Exit(code)
	return nil
}

func flaky(args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	limit, err := time.ParseDuration(args[0])
	if err != nil || limit <= 0 {
		return errUsage
	}
	time.Sleep(rand.N(limit))
	os.Exit(rand.N(4))
	return nil
}

func graceful(args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, stopSignals...)
	fmt.Println("ready")
	fmt.Println("stopping on", <-stop)
	return exit(args)
}

func ignoreTerm([]string) error {
	signal.Ignore(stopSignals...)
	fmt.Println("ready")
	forever()
	return nil
}

// forever blocks; a timer keeps the runtime from calling that a deadlock.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

// given is what prog env prints.
type given struct {
	PID  int               `json:"pid"`
	UID  int               `json:"uid"`
	GID  int               `json:"gid"`
	Args []string          `json:"args"`
	Cwd  string            `json:"cwd"`
	Env  map[string]string `json:"env"`
}

func printEnv([]string) error {
	cwd, err := os.Getwd()
	if err != nil {
		return err
	}
	g := given{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(), Args: os.Args, Cwd: cwd, Env: map[string]string{}}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		g.Env[k] = v
	}
	return json.NewEncoder(os.Stdout).Encode(g)
}
