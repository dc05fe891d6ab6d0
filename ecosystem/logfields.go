package ecosystem

import (
	"time"

	"gpm/app"
)

func logFields() []Field {
	return []Field{
		{Name: "out_file", Aliases: []string{"out", "output", "out_log"}, Type: Text, Default: "logs/NAME-out.log in gpm's home", Spec: "out_file", Doc: "File for standard output; /dev/null or NULL = none."},
		{Name: "error_file", Aliases: []string{"error", "err", "err_file", "err_log"}, Type: Text, Default: "logs/NAME-error.log in gpm's home", Spec: "error_file", Doc: "File for standard error; /dev/null or NULL = none."},
		{Name: "log_file", Type: BoolOrText, Default: "none", Spec: "log_file", Doc: "File for both together; true = logs/NAME.log in gpm's home."},
		{Name: "merge_logs", Aliases: []string{"combine_logs"}, Type: Bool, Default: "true for one process in fork mode, else false", Spec: "merge_logs", Doc: "All instances write one file, without -ID in its name.",
			put: func(s *app.Spec, v any) { s.MergeLogs = v.(bool) }},
		{Name: "disable_logs", Type: Bool, Default: "false", Spec: "disable_logs", Doc: "Keeps no output at all.",
			put: func(s *app.Spec, v any) { s.DisableLogs = v.(bool) }},
		{Name: "log_type", Type: LogType, Default: "raw", Spec: "log_type", Doc: "json writes each line as an object.",
			put: func(s *app.Spec, v any) { s.LogType = v.(string) }},
		{Name: "log_date_format", Type: Text, Default: "none", Spec: "log_date_format", Doc: "Time before each line, in dayjs format such as YYYY-MM-DD HH:mm:ss.",
			put: func(s *app.Spec, v any) { s.LogFormat = v.(string) }},
		{Name: "time", Type: Bool, Default: "false", Spec: "log_date_format", Doc: "The same as log_date_format: YYYY-MM-DDTHH:mm:ss.",
			put: func(s *app.Spec, v any) {
				if v.(bool) && s.LogFormat == "" {
					s.LogFormat = app.TimeFormat
				}
			}},
		{Name: "log_rotate", Type: Bool, Default: "50 MiB a file, ten files", Doc: "When a log file is set aside and how long it is kept; false = never.", Spec: "log_rotate.off", Parts: rotateParts(),
			put: func(s *app.Spec, v any) { s.LogRotate.Off = !v.(bool) }},
		{Name: "log", Type: BoolOrText, Default: "none", Doc: "The same as log_file, or what happens to the lines besides.", Parts: lineParts()},
		{Name: "pid_file", Aliases: []string{"pid"}, Type: Text, Default: "pids/NAME-ID.pid in gpm's home", Spec: "pid_file", Doc: "File that holds the process id."},
	}
}

// rotateParts are the settings of log_rotate.
func rotateParts() []Field {
	return []Field{
		{Name: "max_size", Type: Size, Default: "50M", Spec: "log_rotate.max_size", Doc: "A file is set aside beyond this size.",
			put: func(s *app.Spec, v any) { s.LogRotate.MaxSize = v.(int64) }},
		{Name: "every", Type: Duration, Default: "by size only", Spec: "log_rotate.every", Doc: "A file is set aside when it is older: milliseconds, or a time like 1d.",
			put: func(s *app.Spec, v any) { s.LogRotate.Every = v.(time.Duration) }},
		{Name: "cron", Type: Cron, Default: "none", Spec: "log_rotate.cron", Doc: "Cron pattern of five fields, or six with seconds, at which files are set aside.",
			put: func(s *app.Spec, v any) { s.LogRotate.Cron = v.(string) }},
		{Name: "keep", Type: Count, Default: "10", Spec: "log_rotate.keep", Doc: "How many files set aside are kept.",
			put: func(s *app.Spec, v any) { s.LogRotate.Keep = v.(int) }},
		{Name: "max_age", Type: Duration, Default: "any age", Spec: "log_rotate.max_age", Doc: "Files set aside that are older are removed: milliseconds, or a time like 7d.",
			put: func(s *app.Spec, v any) { s.LogRotate.MaxAge = v.(time.Duration) }},
		{Name: "compress", Type: Compress, Default: "gzip", Spec: "log_rotate.compress", Doc: "How files set aside are compressed.",
			put: func(s *app.Spec, v any) { s.LogRotate.Compress = v.(string) }},
		{Name: "off", Type: Bool, Default: "false", Spec: "log_rotate.off", Doc: "true never sets a file aside.",
			put: func(s *app.Spec, v any) { s.LogRotate.Off = v.(bool) }},
	}
}

// lineParts are the settings of log.
func lineParts() []Field {
	return []Field{
		{Name: "driver", Type: Driver, Default: "the files alone", Spec: "log.driver", Doc: "Where lines go besides the files.",
			put: func(s *app.Spec, v any) { s.Log.Driver = app.LogDriver(v.(string)) }},
		{Name: "rate", Type: Count, Default: "0: any number", Spec: "log.rate", Doc: "At most so many lines a second of each stream are written; those left out are counted.",
			put: func(s *app.Spec, v any) { s.Log.Rate = v.(int) }},
		{Name: "redact", Type: Words, Default: "none", Spec: "log.redact", Doc: "Regular expressions; what they match, or their groups if they have some, is written as [redacted].",
			put: func(s *app.Spec, v any) { s.Log.Redact = v.([]string) }},
	}
}

// parts converts an object in the place of a field that has parts.
func (e *entry) parts(f Field, object member) error {
	byKey := map[string]Field{}
	for _, p := range f.Parts {
		for _, s := range p.spellings() {
			byKey[s] = p
		}
	}
	for _, m := range object.value.members {
		p, known := byKey[m.key]
		switch {
		case m.value.kind == null:
			continue
		case !known:
			return e.wrong(m, "is no setting of %s", object.key)
		}
		v, ok := converters[p.Type](m.value, e.opts.CPUs)
		if !ok || !inRange(p, v) {
			return e.wrong(m, "must be %s, not %s", p.wants(), m.value.describe())
		}
		p.put(&e.out.Spec, v)
		e.out.Set[p.Spec] = true
	}
	return nil
}
