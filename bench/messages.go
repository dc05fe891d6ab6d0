//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// measureMessages lets one worker send to its manager as fast as it can.
func measureMessages(ctx context.Context, r *report, both []*manager, ports []string) error {
	progress("messages from a worker")
	rates := make([][]float64, len(both))
	for range r.rounds {
		for i, port := range ports {
			answer, err := fetch(ctx, port, "/burst")
			if err != nil {
				return err
			}
			rate, err := strconv.ParseFloat(answer, 64)
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], rate)
		}
	}
	r.addLeast("messages a second from one worker", medians(rates), "≥ 200,000", 200_000)
	for _, m := range both {
		if _, _, err := m.run(ctx, "delete", "web"); err != nil {
			return err
		}
	}
	return nil
}

// measureOwnMessages is the same from a worker that is no Node, whose own work on a message does not count: what gpm can take.
func measureOwnMessages(ctx context.Context, r *report, gpm *manager) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	node, script, result := filepath.Join(gpm.scripts, "node"), filepath.Join(gpm.scripts, "sender.js"), filepath.Join(gpm.scripts, "sent")
	sender := fmt.Sprintf("#!/bin/sh\nexec %q -send %d %q\n", self, r.messages, result)
	if err := errors.Join(os.WriteFile(node, []byte(sender), 0o755), os.WriteFile(script, nil, 0o644)); err != nil {
		return err
	}
	var rates []float64
	for range r.rounds {
		progress("%d messages from a worker that is no Node", r.messages)
		if err := os.RemoveAll(result); err != nil {
			return err
		}
		if _, _, err := gpm.run(ctx, "start", script, "--interpreter", node, "--name", "sender", "--no-autorestart"); err != nil {
			return err
		}
		rate, err := numberFrom(ctx, result)
		if err != nil {
			return err
		}
		rates = append(rates, rate)
		if _, _, err := gpm.run(ctx, "delete", "sender"); err != nil {
			return err
		}
	}
	r.addLeast("the same from a worker that is no Node", []float64{median(rates)}, "≥ 200,000", 200_000)
	return nil
}

// sendMessages is that worker: it sends so many messages on its channel and writes how many a second that were.
func sendMessages(count int, result string) error {
	fd, err := strconv.Atoi(os.Getenv("NODE_CHANNEL_FD"))
	if err != nil {
		return fmt.Errorf("cannot find the channel: %w", err)
	}
	channel := os.NewFile(uintptr(fd), "channel")
	out := bufio.NewWriterSize(channel, 16<<10)
	began := time.Now()
	for i := range count {
		fmt.Fprintf(out, "{\"n\":%d}\n", i)
	}
	if err := errors.Join(out.Flush(), channel.Close()); err != nil {
		return err
	}
	rate := float64(count) / time.Since(began).Seconds()
	next := result + ".new"
	return errors.Join(os.WriteFile(next, []byte(strconv.FormatFloat(rate, 'f', 0, 64)), 0o644), os.Rename(next, result))
}

// numberFrom waits for a file with a number in it.
func numberFrom(ctx context.Context, file string) (float64, error) {
	for ctx.Err() == nil {
		if text, err := os.ReadFile(file); err == nil {
			return strconv.ParseFloat(string(text), 64)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return 0, ctx.Err()
}
