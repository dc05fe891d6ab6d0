//go:build !linux

package master

import "time"

// Succession does not exist here: what a killed master kept is lost.
type Succession struct{}

// OpenSuccession returns nil.
func OpenSuccession(string) (*Succession, error) { return nil, nil }

// Close does nothing.
func (*Succession) Close() error { return nil }

// Bequeath does nothing.
func (*Link) Bequeath(*Succession, time.Duration) error { return nil }

func (*Table) inherit(string) error { return nil }
