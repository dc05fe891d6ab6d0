package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gpm/app"
	"gpm/master"
	"gpm/store"
)

// journal records what is observed: into the store, which writes it to disk when
// convenient, and as notes in the master, which outlive this daemon at once. Notes
// of what has reached the disk are dropped.
type journal struct {
	db   *store.DB
	host master.Host
	log  *slog.Logger

	mu      sync.Mutex // guards the order of sequence numbers and notes
	noted   []uint64   // events that are notes, ascending
	changed chan struct{}
}

const (
	statusNote = "status/"
	eventNote  = "event/"
	reignNote  = "reign"
	noteLimit  = 5 * time.Second
)

func newJournal(db *store.DB, host master.Host, log *slog.Logger) *journal {
	return &journal{db: db, host: host, log: log, changed: make(chan struct{})}
}

// Record takes a new status of an instance and what happened to it.
func (j *journal) Record(st app.Status, events []app.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	notes := map[string][]byte{}
	j.note(notes, statusNote+strconv.Itoa(st.ID), st)
	for _, ev := range events {
		j.add(notes, ev)
	}
	j.db.Observe(st)
	j.keep(notes)
}

// Event takes something that happened to the daemon itself.
func (j *journal) Event(ev app.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	notes := map[string][]byte{}
	j.add(notes, ev)
	j.keep(notes)
}

func (j *journal) add(notes map[string][]byte, ev app.Event) {
	ev.Seq = j.db.NextSeq()
	if ev.At.IsZero() {
		ev.At = time.Now()
	}
	j.note(notes, fmt.Sprintf("%s%d", eventNote, ev.Seq), ev)
	j.noted = append(j.noted, ev.Seq)
	j.db.Log(ev)
}

func (j *journal) note(notes map[string][]byte, name string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		j.log.Error("Cannot note", "name", name, "err", err)
		return
	}
	notes[name] = b
}

// keep hands notes to the master and wakes those who wait for events.
func (j *journal) keep(notes map[string][]byte) {
	ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
	defer cancel()
	if err := j.host.Note(ctx, notes); err != nil {
		j.log.Warn("Cannot keep notes in the master", "err", err)
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

// Forget drops what is remembered about a deleted instance.
func (j *journal) Forget(id int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.db.Forget(id)
	j.keep(map[string][]byte{statusNote + strconv.Itoa(id): nil})
}

// Flushed drops the notes of events that are on disk now.
func (j *journal) Flushed(upTo uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	notes := map[string][]byte{}
	for len(j.noted) > 0 && j.noted[0] <= upTo {
		notes[fmt.Sprintf("%s%d", eventNote, j.noted[0])] = nil
		j.noted = j.noted[1:]
	}
	if len(notes) > 0 {
		j.keep(notes)
	}
}

// Changed returns a channel that is closed at the next record.
func (j *journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// reign counts the daemons of one master.
type reign struct {
	Began   time.Time `json:"began"`   // the first daemon
	Daemons int       `json:"daemons"` // so far
}

// begin takes part in the count.
func (j *journal) begin(notes map[string][]byte, now time.Time) reign {
	r := reign{Began: now}
	if b, ok := notes[reignNote]; ok {
		if before := decodeNote[reign](j, reignNote, b); before != nil {
			r = *before
		}
	}
	r.Daemons++
	j.mu.Lock()
	defer j.mu.Unlock()
	out := map[string][]byte{}
	j.note(out, reignNote, r)
	j.keep(out)
	return r
}

// restore reads the notes of an earlier daemon: its events go to the store, its statuses
// are returned by instance id.
func (j *journal) restore(notes map[string][]byte) map[int]app.Status {
	statuses := map[int]app.Status{}
	for name, data := range notes {
		if strings.HasPrefix(name, statusNote) {
			if st := decodeNote[app.Status](j, name, data); st != nil {
				statuses[st.ID] = *st
			}
		} else if strings.HasPrefix(name, eventNote) {
			if ev := decodeNote[app.Event](j, name, data); ev != nil {
				j.noted = append(j.noted, ev.Seq)
				j.db.Log(*ev)
			}
		}
	}
	slices.Sort(j.noted)
	return statuses
}

func decodeNote[T any](j *journal, name string, data []byte) *T {
	v := new(T)
	if err := json.Unmarshal(data, v); err != nil {
		j.log.Warn("Cannot read a note of the daemon before", "name", name, "err", err)
		return nil
	}
	return v
}
