package main

import "strings"

// licence is a kind of licence, ordered by how much it asks for.
type licence int

// The kinds this check can tell apart.
const (
	unknown licence = iota
	mit
	isc
	bsd
	apache2
	mpl2    // file-level copyleft: good for tests, not for what we ship
	foreign // any other known licence: copyleft or not free
)

func (l licence) String() string {
	return [...]string{"unknown", "MIT", "ISC", "BSD", "Apache-2.0", "MPL-2.0", "not permissive"}[l]
}

// allows says whether gpm may depend on it; ships: as part of the binary.
func (l licence) allows(ships bool) bool {
	if ships {
		return l > unknown && l < mpl2
	}
	return l > unknown && l <= mpl2
}

// phrases mark a licence's text; the first row of which all are found decides.
// Copyleft comes first, for such a text may quote a permissive one.
var phrases = []struct {
	licence licence
	all     []string
}{
	{foreign, []string{"gnu", "general public license", "everyone is permitted to copy"}},
	{foreign, []string{"business source license"}},
	{foreign, []string{"server side public license"}},
	{foreign, []string{"eclipse public license"}},
	{mpl2, []string{"mozilla public license", "version 2.0", "covered software"}},
	{apache2, []string{"apache license", "version 2.0", "grant of patent license"}},
	{mit, []string{"permission is hereby granted, free of charge", "without restriction", "the above copyright notice and this permission notice"}},
	{isc, []string{"permission to use, copy, modify, and", "distribute this software for any purpose", "with or without fee"}},
	{bsd, []string{"redistribution and use in source and binary forms", "redistributions of source code must retain", "as is"}},
}

// classify tells a licence by the phrases that only its text has.
func classify(text string) licence {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, p := range phrases {
		if containsAll(text, p.all) {
			return p.licence
		}
	}
	return unknown
}

func containsAll(text string, phrases []string) bool {
	for _, p := range phrases {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}
