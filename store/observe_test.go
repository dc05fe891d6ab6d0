package store

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gpm/app"
)

func TestObservationsAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var upTo []uint64
		db := mustOpen(t, testPath(t), Options{Flushed: func(n uint64) { upTo = append(upTo, n) }})
		before := db.txid(t)
		for i := range 100 {
			db.Observe(app.Status{ID: 1, Restarts: i, State: app.Online})
			db.Log(app.Event{ID: 1, Kind: app.EventExit})
			<-time.After(5 * time.Millisecond)
		}
		synctest.Wait()
		if n := db.txid(t) - before; n != 0 {
			t.Errorf("%d commits within half a second", n)
		}
		<-time.After(600 * time.Millisecond)
		synctest.Wait()
		if n := db.txid(t) - before; n != 1 {
			t.Errorf("%d commits after a second, want 1", n)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if n := db.txid(t) - before; n != 1 || !reflect.DeepEqual(upTo, []uint64{100}) {
			t.Errorf("%d commits after an idle hour, flushed %v", n, upTo)
		}
		if st, err := db.Statuses(); err != nil || st[1].Restarts != 99 {
			t.Errorf("status %+v, %v", st[1], err)
		}
		db.Close()
	})
}

func TestReadersSeeWhatWaits(t *testing.T) {
	path := testPath(t)
	db := mustOpen(t, path, Options{FlushEvery: time.Hour})
	db.Observe(app.Status{ID: 1, Restarts: 1})
	db.Observe(app.Status{ID: 2})
	check := func(want ...int) {
		t.Helper()
		st, err := db.Statuses()
		if err != nil || len(st) != len(want) {
			t.Fatalf("statuses %+v, %v; want ids %v", st, err, want)
		}
		for _, id := range want {
			if _, ok := st[id]; !ok {
				t.Errorf("id %d is missing", id)
			}
		}
	}
	check(1, 2)
	if err := db.Flush(); err != nil {
		t.Fatal(err)
	}
	check(1, 2)
	db.Observe(app.Status{ID: 1, Goal: app.Gone})
	db.Forget(9)
	check(2)
	db.Observe(app.Status{ID: 3, Usage: &app.Usage{CPU: 1}})
	check(2, 3)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, path, Options{})
	check(2, 3)
	if st, _ := db.Statuses(); st[3].Usage != nil {
		t.Error("a usage sample was stored")
	}
}

func TestDeleteTakesStatusesAlong(t *testing.T) {
	db := mustOpen(t, testPath(t), Options{FlushEvery: time.Hour})
	if err := db.Put(testApp(1, 0, 1), testApp(2, 2)); err != nil {
		t.Fatal(err)
	}
	db.Observe(app.Status{ID: 0})
	if err := db.Flush(); err != nil {
		t.Fatal(err)
	}
	db.Observe(app.Status{ID: 1})
	db.Observe(app.Status{ID: 2})
	if err := db.Delete(1); err != nil {
		t.Fatal(err)
	}
	if st, err := db.Statuses(); err != nil || len(st) != 1 || st[2].ID != 2 {
		t.Errorf("statuses %+v, %v", st, err)
	}
}

func TestEventsKeepTheirSeq(t *testing.T) {
	path := testPath(t)
	db := mustOpen(t, path, Options{FlushEvery: time.Hour})
	reserved := db.NextSeq()
	if seq := db.Log(app.Event{Kind: app.EventExit, ID: 5}); seq != reserved+1 {
		t.Errorf("seq %d after %d was reserved", seq, reserved)
	}
	db.Log(app.Event{Seq: reserved, Kind: app.EventStart, ID: 5})
	db.Close()
	db = mustOpen(t, path, Options{FlushEvery: time.Hour})
	db.Log(app.Event{Seq: 7, Kind: app.EventOnline, ID: 5}) // a note that the disk does not know
	db.Log(app.Event{Seq: 2, Kind: app.EventExit, ID: 5})   // and one that it does
	for range 2 {
		got, err := db.Events(0, 0)
		if err != nil || len(got) != 3 || got[0].Kind != app.EventStart || got[1].Seq != 2 || got[2].Seq != 7 {
			t.Fatalf("events %+v, %v", got, err)
		}
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if seq := db.NextSeq(); seq != 8 {
		t.Errorf("next seq %d, want 8", seq)
	}
}

func seqs(events []app.Event) []uint64 {
	out := []uint64{}
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

func TestEventQueries(t *testing.T) {
	db := mustOpen(t, testPath(t), Options{FlushEvery: time.Hour})
	for i := range 10 { // seq 1…10, ids 0 1 0 1 …
		kind := app.EventExit
		if i == 3 { // seq 4: an earlier owner of id 1 goes
			kind = app.EventDelete
		}
		db.Log(app.Event{ID: i % 2, Kind: kind})
		if i == 6 { // so that queries cross the border between disk and memory
			if err := db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		since uint64
		limit int
		want  []uint64
	}{
		{0, 0, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{6, 0, []uint64{7, 8, 9, 10}},
		{0, 4, []uint64{7, 8, 9, 10}},
		{8, 5, []uint64{9, 10}},
		{99, 0, []uint64{}},
	} {
		got, err := db.Events(c.since, c.limit)
		if err != nil || !reflect.DeepEqual(seqs(got), c.want) {
			t.Errorf("Events(%d, %d) = %v, %v; want %v", c.since, c.limit, seqs(got), err, c.want)
		}
	}
	for _, c := range []struct {
		ids   []int
		limit int
		want  []uint64
	}{
		{[]int{0}, 0, []uint64{1, 3, 5, 7, 9}},
		{[]int{0}, 2, []uint64{7, 9}},
		{[]int{1}, 0, []uint64{6, 8, 10}}, // not 2: that was another app
		{[]int{0, 1}, 2, []uint64{7, 8, 9, 10}},
		{nil, 3, []uint64{}},
		{[]int{5}, 3, []uint64{}},
	} {
		got, err := db.History(c.ids, c.limit)
		if err != nil || !reflect.DeepEqual(seqs(got), c.want) {
			t.Errorf("History(%v, %d) = %v, %v; want %v", c.ids, c.limit, seqs(got), err, c.want)
		}
	}
}

func TestEventLogIsBounded(t *testing.T) {
	path := testPath(t)
	opts := Options{MaxEvents: 1000, FlushEvery: time.Hour}
	db := mustOpen(t, path, opts)
	db.Log(app.Event{ID: 7, Kind: app.EventStart})
	for i := range 5000 {
		db.Log(app.Event{ID: 1, Kind: app.EventExit})
		if i%500 == 0 {
			if err := db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	db.Close()
	db = mustOpen(t, path, opts)
	all, err := db.Events(0, 0)
	if err != nil || len(all) > 1000 || len(all) < 800 {
		t.Fatalf("%d events are kept, %v", len(all), err)
	}
	if all[0].ID != 7 {
		t.Error("the quiet instance lost its only event to a noisy one")
	}
	if last := all[len(all)-1].Seq; last != 5001 {
		t.Errorf("newest seq %d, want 5001", last)
	}
}

func TestEventLogOfManyInstancesIsBounded(t *testing.T) {
	db := mustOpen(t, testPath(t), Options{MaxEvents: 500, FlushEvery: time.Hour})
	for i := range 2000 {
		db.Log(app.Event{ID: i, Kind: app.EventStart})
		if i%400 == 0 {
			if err := db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := db.obs.log.count; n > 500 {
		t.Errorf("%d events are kept, want at most 500", n)
	}
}

func TestEventLogIsBoundedInBytes(t *testing.T) {
	db := mustOpen(t, testPath(t), Options{MaxBytes: 256 << 10, FlushEvery: time.Hour})
	huge := strings.Repeat("\x00", 1<<20)
	db.Log(app.Event{ID: 1, Reason: huge, Lines: []string{huge, "last"}})
	for i := range 100 {
		db.Log(app.Event{ID: 1, Lines: []string{strings.Repeat("x", 10_000), fmt.Sprint(i)}})
	}
	if err := db.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := db.obs.log.bytes; n > 256<<10 {
		t.Errorf("%d bytes are kept", n)
	}
	all, err := db.Events(0, 0)
	if err != nil || len(all) == 0 || all[len(all)-1].Lines[1] != "99" {
		t.Errorf("%d events, %v", len(all), err)
	}
	if ev := shorten(app.Event{Reason: huge, Lines: []string{huge, "last"}}); len(ev.Lines) != 1 || ev.Lines[0] != "last" || len(ev.Reason) > 1024 {
		t.Errorf("shortened to %d lines and a reason of %d bytes", len(ev.Lines), len(ev.Reason))
	}
}

func TestWaitingEventsAreBounded(t *testing.T) {
	db := mustOpen(t, testPath(t), Options{MaxEvents: 10, FlushEvery: time.Hour})
	for range 25 {
		db.Log(app.Event{ID: 1})
	}
	if h := db.Health(); h.Waiting != 10 || h.Dropped != 15 || h.Err != nil {
		t.Errorf("health %+v", h)
	}
	if got, _ := db.Events(0, 0); len(got) != 10 || got[0].Seq != 16 {
		t.Errorf("events %v", seqs(got))
	}
}
