//go:build !linux

package metrics

import (
	"context"

	"github.com/shirou/gopsutil/v3/process"

	"gpm/app"
)

// addMemory adds nothing: only Linux tells how mappings are shared.
func addMemory(context.Context, *app.Usage, *process.Process) {}
