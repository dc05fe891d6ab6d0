package master

import "golang.org/x/sys/unix"

func toRlimit(r Rlimit) *unix.Rlimit { return &unix.Rlimit{Cur: r.Soft, Max: r.Hard} }
