//go:build unix

package primary

import "syscall"

const addressInUse = -int(syscall.EADDRINUSE)
