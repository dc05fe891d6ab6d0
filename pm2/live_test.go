package pm2

import (
	"net"
	"path/filepath"
	"testing"
)

// TestClientTalksToPM2 lists and stops the apps of the real daemon, as moving in
// does.
func TestClientTalksToPM2(t *testing.T) {
	r := &rig{fake: newFake(""), pm2: pm2Dir(t), home: shortDir(t)}
	defer r.cli(t, 0, "kill")
	r.cli(t, 0, "start app.js --name live -i 2 --max-memory-restart 1G", "online")
	c := dialPM2(t, r.home)
	list, err := c.List(t.Context(), r.home)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, error %v", list, err)
	}
	one := list[1]
	if s := one.Config.Spec; s.Name != "live" || s.Script != filepath.Join(testdata(t), "app.js") || s.OutFile != "" || s.PidFile != "" || s.Env["PM2_HOME"] != r.home {
		t.Errorf("the app is %+v", s)
	}
	if one.ID != 1 || one.PID == 0 || one.Config.Status != "online" || one.Config.Spec.MaxMemoryRestart != 1<<30 {
		t.Errorf("the process is %+v", one)
	}
	if _, err := c.Call(t.Context(), "stopProcessId", one.ID); err != nil {
		t.Error(err)
	}
	if list, err = c.List(t.Context(), r.home); err != nil || list[1].Config.Status != "stopped" || list[1].PID != 0 {
		t.Errorf("after the stop %+v, error %v", list, err)
	}
	if _, err := c.Call(t.Context(), "stopProcessId", 99); err == nil {
		t.Error("process 99 was stopped")
	}
}

func dialPM2(t *testing.T, home string) *Client {
	t.Helper()
	conn, err := net.Dial("unix", Locate(home, nothingSet).RPC)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(conn)
	t.Cleanup(func() { c.Close() })
	return c
}
