//go:build !linux

package master

// service speaks to nobody here.
type service struct{}

func newService() service { return service{} }

func (service) report(*Table, <-chan struct{}) {}

// Announce tells nobody.
func Announce(string) {}
