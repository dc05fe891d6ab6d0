package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	mitText = `Permission is hereby granted, free of charge, to any person … to deal in the Software
		without restriction … The above copyright notice and this permission notice shall be included`
	iscText = `Permission to use, copy, modify, and/or distribute this software for any purpose
		with or without fee is hereby granted`
	bsdText = `Redistribution and use in source and binary forms, with or without modification …
		* Redistributions of source code must retain the above … "AS IS"`
	gplText = `GNU GENERAL PUBLIC LICENSE Version 3 … Everyone is permitted to copy and distribute verbatim
		copies … Permission is hereby granted, free of charge … without restriction`
	mplText = `Mozilla Public License Version 2.0 … "Covered Software" means`
)

func TestClassify(t *testing.T) {
	for text, want := range map[string]licence{
		mitText:               mit,
		iscText:               isc,
		bsdText:               bsd,
		gplText:               foreign,
		mplText:               mpl2,
		"All rights reserved": unknown,
		"":                    unknown,
		"Apache License Version 2.0, January 2004 … 3. Grant of Patent License.": apache2,
	} {
		if got := classify(text); got != want {
			t.Errorf("classify(%.30q) = %v, want %v", text, got, want)
		}
	}
}

func TestOnlyPermissiveLicencesShip(t *testing.T) {
	for l, want := range map[licence][2]bool{ // ships, in tests
		unknown: {false, false}, mit: {true, true}, isc: {true, true}, bsd: {true, true},
		apache2: {true, true}, mpl2: {false, true}, foreign: {false, false},
	} {
		if got := [2]bool{l.allows(true), l.allows(false)}; got != want {
			t.Errorf("%v: allowed %v, want %v", l, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		path  string
		files map[string]string
		want  string // in the error; "" = none
	}{
		{"permissive", map[string]string{"LICENSE": mitText}, ""},
		{"two permissive ones", map[string]string{"LICENSE-MIT": mitText, "LICENSE.md": bsdText}, ""},
		{"copyleft", map[string]string{"COPYING": gplText}, "not permissive"},
		{"one of two is copyleft", map[string]string{"LICENSE": mitText, "COPYING": gplText}, "not permissive"},
		{"unknown text", map[string]string{"LICENCE.txt": "ask us"}, "not known"},
		{"no file", map[string]string{"README": mitText}, "no licence file"},
		{"github.com/shoenig/go-m1cpu", map[string]string{"LICENSE": mplText}, ""},
		{"github.com/shoenig/go-m1cpu", map[string]string{"LICENSE": gplText}, "not permissive"},
		{"any other", map[string]string{"LICENSE": mplText}, "MPL-2.0"},
	} {
		t.Run(c.path, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := check(t.Output(), module{Path: c.path, Dir: dir}, true)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("check = %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestCollect(t *testing.T) {
	found := map[string]module{}
	stream := `{}{"Module":{"Path":"gpm","Main":true}}{"Module":{"Path":"a","Dir":"/a","Replace":{"Dir":"/b"}}}`
	if err := collect(found, stream); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found["a"].Dir != "/b" {
		t.Errorf("collected %v, want module a at /b only", found)
	}
	if err := collect(found, "{"); err == nil {
		t.Error("a cut stream was accepted")
	}
}
