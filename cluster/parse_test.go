package cluster

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gpm/app"
	"gpm/cluster/sockets"
)

func TestParseListen(t *testing.T) {
	for text, want := range map[string]sockets.Address{
		"tcp://0.0.0.0:8000":   {Host: "0.0.0.0", Port: 8000},
		"tcp://:80":            {Port: 80},
		"tcp://[::1]:9":        {Host: "::1", Port: 9},
		"tcp://localhost:1":    {Host: "127.0.0.1", Port: 1},
		"udp://:53":            {Network: sockets.UDP, Port: 53},
		"unix:///run/app.sock": {Network: sockets.Unix, Path: "/run/app.sock"},
	} {
		if got, err := ParseListen(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "8000", ":8000", "tcp://x", "tcp://host.name:1", "tcp://:99999", "http://:80", "unix://relative", "unix:///" + strings.Repeat("x", 200)} {
		if got, err := ParseListen(text); !errors.Is(err, app.ErrInvalid) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func FuzzParseListen(f *testing.F) {
	f.Add("tcp://[::1%lo]:80")
	f.Fuzz(func(t *testing.T, text string) {
		at, err := ParseListen(text)
		if err == nil && (at.Port < 0 || at.Port > 65535 || at.Network == sockets.Unix && at.Path == "") {
			t.Errorf("%q: %+v", text, at)
		}
	})
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]Heard{
		`{"type":"a:b","data":{"x":1}}`: {Type: "a:b", Data: json.RawMessage(`{"x":1}`)},
		`{"type":"a","data":0}`:         {Type: typeRaw, Data: json.RawMessage(`{"type":"a","data":0}`)},
		`{"node_version":"20.1.0"}`:     {Type: typeNode, Data: json.RawMessage(`"20.1.0"`)},
		`{"type":"a"}`:                  {Type: typeRaw, Data: json.RawMessage(`{"type":"a"}`)},
		`{"type":1,"data":2}`:           {Type: typeRaw, Data: json.RawMessage(`{"type":1,"data":2}`)},
		`"hello"`:                       {Type: typeRaw, Data: json.RawMessage(`"hello"`)},
		`{`:                             {Type: typeRaw, Data: json.RawMessage(`{`)},
	} {
		if got := classify([]byte(text)); got.Type != want.Type || string(got.Data) != string(want.Data) {
			t.Errorf("%s: %s %s", text, got.Type, got.Data)
		}
	}
}

func FuzzHear(f *testing.F) {
	f.Add([]byte(`{"type":"axm:action","data":{"action_name":"x"}}`))
	f.Add([]byte(`{"type":"axm:monitor","data":{"x":{"value":1}}}`))
	f.Add([]byte(`{"type":"axm:option:configuration","data":{"x":true}}`))
	f.Add([]byte(`{"node_version":"20"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s app.Shown
		addShown(&s, classify(text))
		if len(s.Actions) > 1 {
			t.Errorf("%q announces %v", text, s.Actions)
		}
	})
}

func TestShownIsBounded(t *testing.T) {
	var s app.Shown
	for i := range 3 * maxShown {
		addShown(&s, Heard{Type: typeAction, Data: json.RawMessage(`{"action_name":"` + strings.Repeat("x", i) + `"}`)})
	}
	if len(s.Actions) != maxShown {
		t.Errorf("%d actions are kept", len(s.Actions))
	}
}

func FuzzIsReady(f *testing.F) {
	f.Add([]byte("STATUS=x\nREADY=1\n"))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if isReady(datagram) && !strings.Contains(string(datagram), "READY=1") {
			t.Errorf("%q says READY", datagram)
		}
	})
}

func TestIsReady(t *testing.T) {
	for text, want := range map[string]bool{"READY=1": true, "STATUS=a\nREADY=1\n": true, "READY=0": false, "STATUS=READY=1": false, "": false} {
		if isReady([]byte(text)) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestEndings(t *testing.T) {
	by := &app.Exit{Code: 0}
	got := endings([]app.Event{{Kind: app.EventStop}, {Kind: app.EventExit, Exit: by}, {Kind: app.EventDelete}, {Kind: app.EventStuck}})
	if len(got) != 2 || got[0].Exit.By != byReload || got[1].Kind != app.EventStuck {
		t.Errorf("%+v", got)
	}
	if by.By != "" {
		t.Error("somebody else's exit was changed")
	}
}

func TestSeatsKeepTheOrderOfSlots(t *testing.T) {
	for slot := range 5 {
		seat := firstSeat(slot)
		if otherSeat(otherSeat(seat)) != seat || otherSeat(seat) == seat || otherSeat(seat)/2 != slot {
			t.Errorf("slot %d: seats %d and %d", slot, seat, otherSeat(seat))
		}
	}
}
