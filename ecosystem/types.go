package ecosystem

// Type says what a field holds. Its text is what messages and the schema call it.
type Type uint8

// The types, with the Go type that Extra holds.
const (
	Text        Type = iota // string; a number is taken as its digits
	Bool                    // bool; also "true" and "false"
	Count                   // int, 0 or more; also as a string
	Number                  // int; also as a string
	Duration                // time.Duration: milliseconds, or a string like 1s, 1m, 1h
	Size                    // int64 bytes, or a string like 512M
	Words                   // []string; a string is split at spaces, quotes respected
	Lines                   // []string; a string is one
	Codes                   // []int from 0 to 255, one or several
	CPUs                    // []int, one or several
	Limits                  // map[string]string: name to soft:hard
	Object                  // map[string]any
	Instances               // int: a number, max, a negative number, or a percentage of the CPUs
	Mode                    // string: fork or cluster
	LogType                 // string: raw or json
	Compress                // string: gzip, zstd or none
	Driver                  // string: journald, syslog or stdout
	Cron                    // string: five or six fields, or a word
	Signal                  // string: SIGTERM, TERM
	BoolOrText              // bool or string
	BoolOrWords             // bool or []string; filter_env keeps a single name a string
	Readiness               // app.Ready: a string, or an object of one way
	Autoscaling             // app.Autoscale: a string like 1-8, or an object
	Environment             // handled by name: an object, or a string of KEY=VALUE words
	CPUShare                // float64: CPUs, or a percentage of one
	Overlap                 // string: skip, queue or replace
	Missed                  // string: skip or once
	DependsOn               // []app.Dependency
	Hooks                   // []app.Hook
	Anything                // any: accepted and of no effect
)

// schemas are the JSON Schema of each type.
var schemas = [...]string{
	Text:        `{"type": ["string", "number"]}`,
	Bool:        `{"type": "boolean"}`,
	Count:       `{"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]}`,
	Number:      `{"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^-?[0-9]+$"}]}`,
	Duration:    `{"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)?$"}]}`,
	Size:        `{"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+([KMGTkmgt](i?[Bb])?)?$"}]}`,
	Words:       `{"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "number", "boolean"]}}]}`,
	Lines:       `{"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}`,
	Codes:       `{"anyOf": [{"$ref": "#/definitions/code"}, {"type": "string"}, {"type": "array", "items": {"$ref": "#/definitions/code"}}]}`,
	CPUs:        `{"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 0}}]}`,
	Limits:      `{"type": "object", "additionalProperties": {"type": ["string", "integer"]}}`,
	Object:      `{"type": "object"}`,
	Instances:   `{"anyOf": [{"type": "integer", "maximum": 10000}, {"type": "string", "pattern": "^(max|-?[0-9]+|[0-9]+%)$"}]}`,
	Mode:        `{"enum": ["fork", "cluster", "fork_mode", "cluster_mode"]}`,
	LogType:     `{"enum": ["raw", "json"]}`,
	Compress:    `{"enum": ["gzip", "zstd", "none"]}`,
	Driver:      `{"enum": ["journald", "syslog", "stdout"]}`,
	Cron:        `{"type": ["string", "number"]}`,
	Signal:      `{"type": ["string", "number"]}`,
	BoolOrText:  `{"type": ["boolean", "string"]}`,
	BoolOrWords: `{"anyOf": [{"type": "boolean"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]}`,
	Readiness: `{"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false, "properties": {"http": {"type": "string"},
		"tcp": {"type": ["string", "integer"]}, "exec": {"type": ["string", "array"], "items": {"type": "string"}}, "notify": {"const": true}, "delay": {"type": ["number", "string"]}}}]}`,
	Autoscaling: `{"anyOf": [{"type": "string"}, {"const": false}, {"type": "object", "required": ["max"], "additionalProperties": false, "properties": {"min": {"type": ["integer", "string"]},
		"max": {"type": ["integer", "string"]}, "target": {"type": ["integer", "string"]}, "metric": {"enum": ["loop", "cpu"]}, "cooldown": {"type": ["number", "string"]}}}]}`,
	Environment: `{"anyOf": [{"type": "object"}, {"type": "string"}]}`,
	CPUShare:    `{"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": "^[0-9.]+%?$"}]}`,
	Overlap:     `{"enum": ["skip", "queue", "replace"]}`,
	Missed:      `{"enum": ["skip", "once"]}`,
	DependsOn: `{"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "object", "additionalProperties": {"anyOf": [
		{"$ref": "#/definitions/condition"}, {"type": "object", "properties": {"condition": {"$ref": "#/definitions/condition"}}, "required": ["condition"], "additionalProperties": false}]}}]}`,
	Hooks: `{"type": "object", "additionalProperties": false, "properties": {"start": {"$ref": "#/definitions/hook"}, "exit": {"$ref": "#/definitions/hook"},
		"errored": {"$ref": "#/definitions/hook"}, "unhealthy": {"$ref": "#/definitions/hook"}, "limit": {"$ref": "#/definitions/hook"}}}`,
	Anything: `{}`,
}

// wanted says in a message what a field of the type holds.
var wanted = [...]string{
	Text:        "a string",
	Bool:        "true or false",
	Count:       "a whole number of at least 0",
	Number:      "a whole number",
	Duration:    "a number of milliseconds or a time like 1s, 1m, 1h",
	Size:        "a number of bytes or a size like 100K, 512M, 2G",
	Words:       "a string or a list of strings",
	Lines:       "a string or a list of strings",
	Codes:       "an exit code from 0 to 255 or a list of them",
	CPUs:        "a CPU number or a list of them",
	Limits:      "an object of limits like nofile: 4096",
	Object:      "an object",
	Instances:   `a number up to 10000, "max", or a percentage of the CPUs like "50%"`,
	Mode:        "fork or cluster",
	LogType:     "raw or json",
	Compress:    "gzip, zstd or none",
	Driver:      "journald, syslog or stdout",
	Cron:        "a cron pattern of five or six fields, or a word such as @daily or @every 5m",
	Signal:      "the name of a signal like SIGTERM",
	BoolOrText:  "true, false or a string",
	BoolOrWords: "true, false, a string or a list of strings",
	Readiness:   "notify, a time like 5s, tcp:PORT, a URL or its path, exec:COMMAND, or an object of one of them",
	Autoscaling: "bounds like 1-8, or an object of min, max, target, metric (loop or cpu) and cooldown",
	Environment: "an object or a string of KEY=VALUE words",
	CPUShare:    "a number of CPUs like 0.5, 2 or 150%",
	Overlap:     "skip, queue or replace",
	Missed:      "skip or once",
	DependsOn:   "names of apps like db or db:healthy, or an object like db: healthy; conditions are started, listening, healthy and completed",
	Hooks:       "an object of start, exit, errored, unhealthy or limit with a command, a url, or run or url with timeout and retries",
	Anything:    "any value",
}
