package ecosystem_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gpm/ecosystem"
)

// TestSchemaIsShipped: the file that editors load is what the table says.
func TestSchemaIsShipped(t *testing.T) {
	schema := ecosystem.Schema()
	if !json.Valid(schema) {
		t.Fatal("the schema is no JSON")
	}
	golden(t, "../docs/ecosystem.schema.json", schema)
}

// TestTable: each key names one field, and each field that sets a part of a spec names it.
func TestTable(t *testing.T) {
	seen := map[string]string{}
	for _, f := range ecosystem.Fields() {
		if f.Doc == "" || strings.ToLower(f.Name) != f.Name {
			t.Errorf("field %+v", f)
		}
		for _, key := range append([]string{f.Name}, f.Aliases...) {
			if seen[key] != "" {
				t.Errorf("%s names both %s and %s", key, seen[key], f.Name)
			}
			seen[key] = f.Name
		}
	}
	for _, key := range strings.Fields(pm2Keys) {
		if seen[key] == "" {
			t.Errorf("pm2's key %s is not known", key)
		}
	}
}

// pm2Keys are those of the reference, section 2.2.
const pm2Keys = `script exec cmd command name name_prefix namespace cwd args exec_interpreter interpreter node_args interpreter_args exec_mode
instances increment_var instance_var out_file out output out_log error_file error err err_file err_log log_file log merge_logs combine_logs
disable_logs log_type log_date_format time pid_file pid env filter_env append_env_to_name port autostart autorestart stop_exit_codes
min_uptime max_restarts restart_delay exp_backoff_restart_delay max_memory_restart cron_restart cron watch ignore_watch watch_delay
watch_options kill_timeout kill_retry_time shutdown_with_message treekill wait_ready listen_timeout force execute_command uid user gid
username vizion post_update source_map_support disable_source_map_support pmx automation trace disable_trace v8 event_loop_inspector
deep_monitoring io install_url write windows_hide`
