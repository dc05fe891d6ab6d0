package app

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestParseReady(t *testing.T) {
	for text, want := range map[string]Ready{
		"notify":                    {Notify: true},
		"5s":                        {Delay: 5 * time.Second},
		"tcp:8000":                  {Probe: Probe{TCP: "8000"}},
		"tcp://localhost:$PORT":     {Probe: Probe{TCP: "localhost:$PORT"}},
		"unix:///run/a.sock":        {Probe: Probe{TCP: "unix:///run/a.sock"}},
		"/ready":                    {Probe: Probe{HTTP: "/ready"}},
		"https://localhost:1/x":     {Probe: Probe{HTTP: "https://localhost:1/x"}},
		"exec: test -e /tmp/a file": {Probe: Probe{Exec: []string{"test -e /tmp/a file"}}},
	} {
		if got, err := ParseReady(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "soon", "3000", "0s", "-1s", "ftp://x"} {
		if got, err := ParseReady(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestParseAutoscale(t *testing.T) {
	for text, want := range map[string]Autoscale{
		"off":                                    {},
		"1-8":                                    {Min: 1, Max: 8},
		"2-2,target=60%,metric=loop,cooldown=1m": {Min: 2, Max: 2, Target: 60, Metric: ScaleByLoop, Cooldown: time.Minute},
		"max=4, metric=cpu":                      {Max: 4, Metric: ScaleByCPU},
	} {
		got, err := ParseAutoscale(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := ParseAutoscale(got.String()); err != nil || again.String() != got.String() {
			t.Errorf("%s became %s, which is read as %s, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "8", "8-1", "0-0", "-1-4", "1-x", "1-4,target=0x", "1-4,target=100", "1-4,metric=memory", "1-4,cooldown=5", "1-4,cooldown=1ms", "1-4,speed=1"} {
		if got, err := ParseAutoscale(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}
