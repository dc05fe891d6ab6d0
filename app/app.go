// Package app is the vocabulary that the command line, the wire, the store and
// the supervisor share: what to run ([Spec]), how to keep it alive ([Policy]),
// where it stands ([State], [Goal], [Status]), how it ended ([Exit]) and what
// happened ([Event]).
//
// It is a leaf: plain data and pure functions, the standard library only.
package app
