package logs

import (
	"encoding/json"
	"time"

	"gpm/app"
)

// Format is how lines are written where bytes as they come will not do. Lines
// longer than MaxLine are cut between characters, and each piece but the last is marked.
type Format struct {
	Layout string        // of the time before each line, for time.Format; "" = no time. See app.Layout
	JSON   bool          // one object for each line, with the fields that pm2 writes
	ID     int           // of the process, for JSON
	Name   string        // of the app, for JSON
	Stream app.LogStream // for JSON
}

// cutMark ends a piece of a line that goes on in the next one.
const cutMark = " [gpm: the line goes on]"

// jsonLine has the fields of pm2's log_type "json"; the message keeps its newline.
type jsonLine struct {
	Message   string        `json:"message"`
	Timestamp string        `json:"timestamp"`
	Type      app.LogStream `json:"type"`
	ID        int           `json:"process_id"`
	Name      string        `json:"app_name"`
	Cut       bool          `json:"cut,omitempty"`
}

// stamp is the time as it stands before the lines of one batch.
func (f *Format) stamp(now time.Time) string {
	switch {
	case f.JSON && f.Layout == "":
		return now.Format(time.RFC3339Nano)
	case f.JSON:
		return now.Format(f.Layout)
	case f.Layout == "":
		return ""
	}
	return now.Format(f.Layout) + ": "
}

// append appends one line as it is written.
func (f *Format) append(b []byte, stamp string, l Line) []byte {
	if f.JSON {
		return f.appendJSON(b, stamp, l)
	}
	b = append(append(b, stamp...), l.Text...)
	if l.End == Cut {
		b = append(b, cutMark...)
	}
	return append(b, '\n')
}

func (f *Format) appendJSON(b []byte, stamp string, l Line) []byte {
	text := string(l.Text)
	if l.End == Newline {
		text += "\n"
	}
	j, err := json.Marshal(jsonLine{text, stamp, f.Stream, f.ID, f.Name, l.End == Cut})
	if err != nil { // cannot be: strings and numbers only
		return b
	}
	return append(append(b, j...), '\n')
}
