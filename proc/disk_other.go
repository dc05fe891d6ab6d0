//go:build !linux

package proc

import "errors"

func diskOf(string) (string, error) { return "", errors.ErrUnsupported }
