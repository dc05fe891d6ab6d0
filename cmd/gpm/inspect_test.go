package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// inspected are JSON texts that together have every rule of the layout.
var inspected = []string{
	`[]`, `{}`, `null`, `"text"`, `1.5`, `true`, `[1,2,3]`, `{"a":1,"b":"x"}`, `{"a-b":1,"_c":false,"$":null}`,
	`["it's","say \"x\"","it's \"both\"","all ' \" ` + "`" + `","${x}' \""]`,
	`["tab\tline\nbell\u0007del\u007f back\\slash","日本"]`,
	`{"a":{"b":{"c":{}}}}`, `{"a":{"b":{"c":{"d":1}}}}`, `{"a":{"b":{"c":{"d":{"e":1}}}}}`,
	`[{"pid":1,"name":"web","pm2_env":{"args":["--port","80"],"env":{"PATH":"/usr/bin"},"watch":false},"monit":{"memory":0,"cpu":0.5}}]`,
	`{"long":"` + strings.Repeat("x", 200) + `","next":1}`,
	`{"lines":"first line that is long enough to matter, certainly\nsecond line that is long enough too, and some more of it\n"}`,
	`{"k":[{"action_name":"a","action_type":"b","arity":0},{"action_name":"a","action_type":"b","arity":0}]}`,
	`{"` + strings.Repeat("a", 90) + `":1,"bbbbbbbbbb":2}`, `{"a":"` + strings.Repeat("a ", 30) + `","b":"x"}`,
	`{"` + strings.Repeat("a", 60) + `":1,"bbbbbbbbbb":2}`, `{"a":[],"b":{},"c":[[]],"d":[{}]}`,
	`[0,1,2,3,4,5,6,7]`, `{"ids":[100,20,3,4,5,60000,7,8,9,10,11,12]}`, `{"a":{"b":["x","yy","zzz","x","yy","zzz","` + strings.Repeat("w", 9) + `"]}}`,
	`["` + strings.Repeat("long", 9) + `","b","c","d","e","f","g","h"]`, `[1,"a",2,"b",3,"c",4,"d"]`,
}

func TestInspect(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"b-c":["x"],"d":{}}`: `{ a: 1, 'b-c': [ 'x' ], d: {} }`,
		`["it's"]`:                   `[ "it's" ]`,
	} {
		if got, err := inspect([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	if _, err := inspect([]byte(`{"a":`)); err == nil {
		t.Error("half a text is accepted")
	}
}

// TestInspectIsNodes compares with the original.
func TestInspectIsNodes(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	all, err := json.Marshal(inspected)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "-e", `const u=require('util');const l=JSON.parse(require('fs').readFileSync(0));console.log(JSON.stringify(l.map(t=>u.inspect(JSON.parse(t),false,null))))`)
	cmd.Stdin = bytes.NewReader(all)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, text := range inspected {
		if got, err := inspect([]byte(text)); err != nil || got != want[i] {
			t.Errorf("%s:\n%s\nnode says:\n%s", text, got, want[i])
		}
	}
}

func FuzzInspect(f *testing.F) {
	for _, text := range inspected {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := inspect(text); err == nil && s == "" {
			t.Errorf("%q is shown as nothing", text)
		}
	})
}
