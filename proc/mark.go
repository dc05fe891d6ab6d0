package proc

import (
	"fmt"
	"hash/fnv"
)

// MarkVar is the environment variable by which the processes of an instance are
// known again, however often they forked.
const MarkVar = "GPM_INSTANCE"

// HomeHash is a short name for a home directory, for names outside of it.
func HomeHash(home string) string {
	h := fnv.New64a()
	h.Write([]byte(home))
	return fmt.Sprintf("%016x", h.Sum64())
}

// Mark is the environment entry "GPM_INSTANCE=<home>:<id>:<seq>" that a child must be
// given. The seq keeps two children of one id apart while one replaces the other.
func Mark(home string, id int, seq uint64) string {
	return fmt.Sprintf("%s=%s:%d:%d", MarkVar, HomeHash(home), id, seq)
}
