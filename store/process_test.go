package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// runChild is the other process: "hold" opens the store until stdin ends;
// "write" puts apps and events for ever and says each key once it is acknowledged.
func runChild(role, path string) {
	db, err := Open(path, Options{FlushEvery: time.Millisecond})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	if role == "hold" {
		fmt.Println("held")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	apps, err := db.Apps()
	for key := uint64(len(apps) + 1); err == nil; key++ {
		db.Log(app.Event{ID: int(key), Kind: app.EventStart})
		db.Observe(app.Status{ID: int(key)})
		if err = db.Put(testApp(key, int(key))); err == nil {
			fmt.Println(key)
		}
	}
	fmt.Println("error", err)
}

// startChild starts runChild; the process is gone when the test is.
func startChild(t *testing.T, role, path string) (*exec.Cmd, *bufio.Scanner, io.Closer) {
	t.Helper()
	cmd := exec.Command(os.Args[0], path)
	cmd.Env = append(os.Environ(), "GPM_STORE_CHILD="+role)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out), in
}

func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	path := testPath(t)
	total := 0
	for round := range 5 {
		cmd, lines, _ := startChild(t, "write", path)
		acked := 0
		for i := 0; i < 20+round*7 && lines.Scan(); i++ {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("child says %q", lines.Text())
			}
			acked = n
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // acknowledged before the kill reached it
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acked = n
			}
		}
		_ = cmd.Wait()
		db := mustOpen(t, path, Options{Timeout: 5 * time.Second})
		apps := mustApps(t, db)
		if len(apps) < acked || acked <= total {
			t.Fatalf("round %d: %d apps of %d acknowledged", round, len(apps), acked)
		}
		if _, err := db.Events(0, 0); err != nil {
			t.Errorf("events: %v", err)
		}
		total = len(apps)
		db.Close()
	}
}

func TestLockOfAnotherProcess(t *testing.T) {
	path := testPath(t)
	_, lines, stdin := startChild(t, "hold", path)
	if !lines.Scan() || lines.Text() != "held" {
		t.Fatalf("child says %q", lines.Text())
	}
	_, err := Open(path, Options{Timeout: 100 * time.Millisecond})
	if !errors.Is(err, app.ErrConflict) || !strings.Contains(err.Error(), path) {
		t.Errorf("held by another process: %v", err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path, Options{Timeout: 10 * time.Second})
}
