//go:build !linux && !darwin

package proc

func (m member) alive() bool { return false }

// marked finds none: there is no portable way to look.
func marked(string) []Survivor { return nil }

// Escaped finds none.
func (ts *Trees) Escaped(string) map[int][]int { return nil }
