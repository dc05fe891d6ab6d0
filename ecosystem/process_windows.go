package ecosystem

import (
	"os"
	"os/exec"
	"strconv"
)

// ownTree kills the process and its descendants when the context ends.
func ownTree(cmd *exec.Cmd) {
	cmd.Cancel = func() error {
		_ = exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run()
		return cmd.Process.Kill()
	}
}

// result is a file: a process on Windows inherits no further descriptors.
type result struct {
	arg string // what load.js is told
}

func openResult(*exec.Cmd) (*result, error) {
	f, err := os.CreateTemp("", "gpm-config-*.json")
	if err != nil {
		return nil, err
	}
	return &result{arg: f.Name()}, f.Close()
}

// read returns the line that the process has written once it has ended.
func (r *result) read(ended <-chan struct{}) []byte {
	<-ended
	info, err := os.Stat(r.arg)
	if err != nil || info.Size() > maxResult {
		return nil
	}
	data, err := os.ReadFile(r.arg)
	if err != nil {
		return nil
	}
	return line(data)
}

func (r *result) close() { _ = os.Remove(r.arg) }
