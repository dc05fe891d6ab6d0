package master

import (
	"testing"
	"testing/synctest"
)

func TestExitQueueKeepsOrderAndNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newExitQueue([]Exit{{PID: 0}})
		for i := 1; i < 1000; i++ {
			q.push(Exit{PID: i}) // nobody receives yet
		}
		q.finish()
		n := 0
		for e := range q.c {
			if e.PID != n {
				t.Fatalf("got %d, want %d", e.PID, n)
			}
			n++
		}
		if n != 1000 {
			t.Errorf("%d exits", n)
		}
		q.leave() // after the end it does nothing
	})
}

func TestExitQueueCanBeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newExitQueue([]Exit{{PID: 1}, {PID: 2}})
		<-q.c
		q.leave() // waits for the pump: the bubble would not end otherwise
		q.leave()
		if _, ok := <-q.c; ok {
			t.Error("an exit after leaving")
		}
	})
}
