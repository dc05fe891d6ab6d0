package master

import (
	"math"

	"golang.org/x/sys/unix"
)

// toRlimit: the type is signed here, and its infinity the largest value.
func toRlimit(r Rlimit) *unix.Rlimit {
	return &unix.Rlimit{
		Cur: int64(min(r.Soft, math.MaxInt64)),
		Max: int64(min(r.Hard, math.MaxInt64)),
	}
}
