package pm2

import (
	"encoding/json"
	"time"

	"gpm/app"
)

// The topics of the bus. An app's own message with a type and data is published
// under that type.
const (
	TopicProcess = "process:event"
	TopicOut     = "log:out"
	TopicErr     = "log:err"
	TopicDaemon  = "log:PM2"
	TopicMessage = "process:msg"
	TopicReply   = "axm:reply"
	TopicKill    = "pm2:kill"
)

// KillEvent is the payload of [TopicKill].
func KillEvent() *Object {
	o := &Object{}
	o.Set("status", "killed")
	o.Set("msg", "pm2 has been killed via CLI")
	return o
}

// EventName is pm2's word for what happened; "" when pm2 has none.
func EventName(k app.EventKind) string {
	switch k {
	case app.EventErrored:
		return "restart overlimit"
	case app.EventStart, app.EventOnline, app.EventExit, app.EventStop, app.EventRestart, app.EventDelete:
		return string(k)
	}
	return ""
}

// ProcessEvent is the payload of [TopicProcess]: {event, manually, process, at}.
// manually says that a user asked for it.
func ProcessEvent(event string, manually bool, p Process, v View, at time.Time) *Object {
	o := &Object{}
	o.Set("event", event)
	o.Set("manually", manually)
	o.Set("process", Env(p, v).Without("env"))
	o.Set("at", milli(at))
	return o
}

// LogEvent is the payload of [TopicOut] and [TopicErr]. data is one or more lines
// with their ends.
func LogEvent(s app.Status, data string, at time.Time) *Object {
	return AppEvent(s, data, at)
}

// DaemonEvent is the payload of [TopicDaemon], a line of the daemon's log.
func DaemonEvent(line string, at time.Time) *Object {
	o, process := &Object{}, &Object{}
	process.Set("pm_id", "PM2")
	process.Set("name", "PM2")
	process.Set("rev", nil)
	o.Set("process", process)
	o.Set("at", milli(at))
	o.Set("data", line)
	return o
}

// AppEvent is the payload of a message of an app that has a type and data (the
// type is the topic), of log:… and axm:…: {at, data, process}. data is any JSON.
func AppEvent(s app.Status, data any, at time.Time) *Object {
	o := &Object{}
	o.Set("at", milli(at))
	o.Set("data", data)
	o.Set("process", source(s))
	return o
}

// MessageEvent is the payload of [TopicMessage], any other message of an app:
// {at, raw, process}.
func MessageEvent(s app.Status, raw json.RawMessage, at time.Time) *Object {
	o := &Object{}
	o.Set("at", milli(at))
	o.Set("raw", raw)
	o.Set("process", source(s))
	return o
}

func source(s app.Status) *Object {
	o := &Object{}
	o.Set("pm_id", s.ID)
	o.Set("name", s.Name)
	o.Set("rev", nil)
	o.Set("namespace", orElse(s.Namespace, "default"))
	return o
}
