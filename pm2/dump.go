package pm2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// DumpEntry is what dump.pm2 keeps of a process: pm2_env without what a new
// daemon gives it afresh.
func DumpEntry(p Process, v View) *Object {
	return Env(p, v).Without("instances", "pm_id", "prev_restart_delay")
}

// ReadDump reads the apps of a dump: those of the backup when the file itself is
// missing or broken. Each instance is an entry of its own. Neither file there: the
// error is fs.ErrNotExist.
func ReadDump(f Files) ([]Config, error) {
	list, err := readDump(f.Dump, f.Home)
	if err == nil {
		return list, nil
	}
	if list, err := readDump(f.Backup, f.Home); err == nil {
		return list, nil
	}
	return nil, err
}

func readDump(path, home string) ([]Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the saved list: %w", err)
	}
	var raw []map[string]any
	if err := decodeNumbers(text, &raw); err != nil {
		return nil, fmt.Errorf("cannot read the saved list %s: %w", path, err)
	}
	list := make([]Config, len(raw))
	for i, entry := range raw {
		withoutIDs(entry)
		if list[i], err = ParseConfig(entry, home); err != nil {
			return nil, fmt.Errorf("cannot read entry %d of %s: %w", i+1, path, err)
		}
	}
	return list, nil
}

// withoutIDs takes the number of the process out of the names of its files: the
// next one gets its own.
func withoutIDs(entry map[string]any) {
	number := regexp.MustCompile(`-\d+(\.log|\.pid)$`)
	keys := []string{"pm_pid_path"}
	if entry["merge_logs"] != true {
		keys = append(keys, "pm_out_log_path", "pm_err_log_path")
	}
	for _, key := range keys {
		if path, ok := entry[key].(string); ok {
			entry[key] = number.ReplaceAllString(path, "$1")
		}
	}
}

// WriteDump replaces the dump; what it was becomes the backup, if it was whole.
// Both hold secrets and are for their owner only (0600). At no moment is there
// neither.
func WriteDump(f Files, entries []*Object) error {
	text, err := indent(append([]*Object{}, entries...), "  ")
	if err != nil {
		return err
	}
	old, err := os.ReadFile(f.Dump)
	switch {
	case err == nil && json.Valid(old):
		if err := replace(f.Backup, old); err != nil {
			return fmt.Errorf("cannot keep the old saved list: %w", err)
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot keep the old saved list: %w", err)
	}
	if err := replace(f.Dump, text); err != nil {
		return fmt.Errorf("cannot save the list: %w", err)
	}
	return nil
}

// indent is Encode over several lines.
func indent(v any, by string) ([]byte, error) {
	raw, err := Encode(v)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	err = json.Indent(&buf, raw, "", by)
	return buf.Bytes(), err
}

// replace writes a file whole or not at all, 0600.
func replace(path string, content []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
