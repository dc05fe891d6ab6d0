//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// numbered appends a line of lineLength bytes.
func numbered(b []byte, i int) []byte {
	start := len(b)
	b = fmt.Appendf(b, "%010d ", i)
	return append(append(b, bytes.Repeat([]byte{'x'}, lineLength-1-(len(b)-start))...), '\n')
}

// flood prints so many lines as fast as it can and notes when it began.
func flood(lines int, note string) error {
	if err := os.WriteFile(note, []byte(strconv.FormatInt(time.Now().UnixNano(), 10)), 0o600); err != nil {
		return err
	}
	const batch = 640
	var b []byte
	for i := range batch {
		b = numbered(b, i)
	}
	for ; lines > 0; lines -= batch {
		if _, err := os.Stdout.Write(b[:min(lines, batch)*lineLength]); err != nil {
			return err
		}
	}
	return nil
}

// pacedBatch is how often paced wakes up: a hundred programs that sleep between any two lines would measure the kernel's timers.
const pacedBatch = 20 * time.Millisecond

// paced prints lines at a steady rate until it is ended, each by a write of its own.
func paced(rate int) error {
	line := numbered(nil, 0)
	began, printed := time.Now(), 0
	for range time.Tick(pacedBatch) {
		for due := int(time.Since(began).Seconds() * float64(rate)); printed < due; printed++ {
			if _, err := os.Stdout.Write(line); err != nil {
				return err
			}
		}
	}
	return nil
}
