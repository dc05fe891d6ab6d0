//go:build darwin || freebsd

package master

import "errors"

func setCPUs(cpus []int) error {
	if len(cpus) == 0 {
		return nil
	}
	return errors.ErrUnsupported
}

func setOOMScoreAdj(int) error { return errors.ErrUnsupported }
