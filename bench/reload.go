//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	reloads     = 5
	kept, fresh = 4, 4 // clients that keep their connection, and that make one for each request
)

// measureReloads counts the requests that fail while each manager reloads the app under the same load.
func measureReloads(ctx context.Context, r *report, both []*manager, ports []string) error {
	failed := make([]float64, len(both))
	for i, m := range both {
		progress("%d reloads of %s under load", reloads, m.name)
		loaded, stop := context.WithCancel(ctx)
		var clients sync.WaitGroup
		var lost, answered atomic.Int64
		for n := range kept + fresh {
			clients.Go(func() { askOn(loaded, ports[i], n < kept, &answered, &lost) })
		}
		err := pause(ctx, time.Second)
		for n := 0; n < reloads && err == nil; n++ {
			if _, _, err = m.run(ctx, "reload", "web"); err == nil {
				err = pause(ctx, time.Second)
			}
		}
		stop()
		clients.Wait()
		if err != nil {
			return err
		}
		if answered.Load() == 0 {
			return fmt.Errorf("%s answered no request while it reloaded", m.name)
		}
		progress("%s: %d requests answered, %d failed", m.name, answered.Load(), lost.Load())
		failed[i] = float64(lost.Load())
	}
	r.add(fmt.Sprintf("failed requests in %d reloads", reloads), "", failed, "0", 0)
	return nil
}

// askOn asks until ctx ends. A request is asked once: net/http would try again what a kept connection has lost.
func askOn(ctx context.Context, port string, keep bool, answered, lost *atomic.Int64) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: !keep}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		err := post(client, port)
		switch {
		case err == nil:
			answered.Add(1)
		case ctx.Err() == nil:
			lost.Add(1)
			_ = pause(ctx, 5*time.Millisecond) //nolint:errcheck // the loop looks at ctx
		}
	}
}

// post makes one request of a kind that net/http never repeats by itself.
func post(client *http.Client, port string) error {
	resp, err := client.Post("http://127.0.0.1:"+port+"/", "text/plain", http.NoBody)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
