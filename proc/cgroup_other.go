//go:build !linux

package proc

import "errors"

func ownGroup() (string, error) { return "", errors.ErrUnsupported }
