package app

import "time"

// Schedule makes a job of an app.
type Schedule struct {
	Cron    string        `json:"cron,omitempty"`    // 5 or 6 fields, @daily, @every 5m; "" = it is no job
	Overlap string        `json:"overlap,omitempty"` // when the run before goes on still: "skip" (also ""), "queue" or "replace"
	Missed  string        `json:"missed,omitempty"`  // runs whose time passed unseen: "skip" (also "") or "once"
	Limit   time.Duration `json:"limit,omitempty"`   // the longest run; 0 = any
}
