package ecosystem_test

import (
	"strings"
	"testing"
)

// TestBadCareFields: what makes no sense is refused with a sentence that names the field.
func TestBadCareFields(t *testing.T) {
	for text, words := range map[string]string{
		`depends_on: {db: 'soon'}`:                           "depends_on must be names of apps",
		`depends_on: [{}]`:                                   "depends_on must be names of apps",
		`health: {http: '/x', every: '1s'}`:                  "is no setting of health",
		`health: {interval: 'often'}`:                        "interval must be",
		`schedule: {cron: '0 4 * * *', overlap: 'maybe'}`:    "overlap must be skip, queue or replace",
		`hooks: {boom: 'x'}`:                                 "hooks must be an object of start",
		`hooks: {exit: {url: 'http://x.example', run: 'y'}}`: "hooks must be an object of start",
		`hooks: {exit: {url: 'http://x.example', tries: 3}}`: "hooks must be an object of start",
		`limits: {memory: 'much'}`:                           "memory must be",
		`limits: '512M'`:                                     "limits must be an object",
		`limits: {cpu: '0'}`:                                 "cpu must be a number of CPUs",
	} {
		_, err := read(t, "a.config.json5", `{apps: [{script: "x", `+text+`}]}`, nil)
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: error %v, want %q", text, err, words)
		}
	}
}
