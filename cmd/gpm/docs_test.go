package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gpm/ecosystem"
)

// pm2Rows returns the rows of a section of docs/pm2.md: what is in its first column, and the verdict.
func pm2Rows(t *testing.T, section string) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/pm2.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	if !found {
		t.Fatalf("docs/pm2.md has no section %q", section)
	}
	rows := map[string]string{}
	for line := range strings.Lines(rest) {
		columns := strings.Split(line, "|")
		if len(columns) < 4 || !strings.Contains(columns[1], "`") {
			continue
		}
		verdict := strings.TrimSpace(columns[2])
		if !slices.Contains([]string{"same", "better", "not done"}, verdict) {
			t.Errorf("%s: the verdict is %q", columns[1], verdict)
		}
		for _, name := range regexp.MustCompile("`(?:--)?([^`]+)`").FindAllStringSubmatch(columns[1], -1) {
			rows[name[1]] = verdict
		}
	}
	return rows
}

// TestPageNamesTheCommands keeps docs/pm2.md equal to what the command line has.
func TestPageNamesTheCommands(t *testing.T) {
	rows := pm2Rows(t, "Commands")
	has := map[string]bool{"completion": true} // cobra's own, made when it is first used
	for _, cmd := range newRootCommand(newCLI(io.Discard, io.Discard), "").Commands() {
		for _, name := range append(cmd.Aliases, cmd.Name()) {
			has[name] = !cmd.Hidden || cmd.Name() == "unlink"
			if _, listed := rows[name]; !listed && cmd.Hidden {
				t.Errorf("docs/pm2.md does not mention %s", name)
			}
		}
	}
	for name, verdict := range rows {
		if has[name] != (verdict != "not done") {
			t.Errorf("docs/pm2.md says that %s is %s", name, verdict)
		}
	}
}

// TestTableNamesTheCommands keeps the words of the table equal to those of the commands it makes.
func TestTableNamesTheCommands(t *testing.T) {
	for _, row := range commandTable() {
		var names []string
		for _, cmd := range row.commands(newCLI(io.Discard, io.Discard)) {
			names = append(append(names, cmd.Name()), cmd.Aliases...)
		}
		if got := strings.Join(names, " "); got != row.names {
			t.Errorf("the table says %q, the commands are %q", row.names, got)
		}
	}
}

func TestPageNamesTheOptions(t *testing.T) {
	root := newRootCommand(newCLI(io.Discard, io.Discard), "")
	for name, verdict := range pm2Rows(t, "Options of start") {
		has := root.PersistentFlags().Lookup(name) != nil || theirFlag(name, "") != nil
		for _, command := range []string{"start", "restart"} {
			cmd, _, err := root.Find([]string{command})
			if err != nil {
				t.Fatal(err)
			}
			has = has || cmd.Flags().Lookup(name) != nil
		}
		if has != (verdict != "not done") {
			t.Errorf("docs/pm2.md says that --%s is %s", name, verdict)
		}
	}
}

func TestPageNamesTheFields(t *testing.T) {
	rows := pm2Rows(t, "Fields of an ecosystem file")
	// What the command makes of fields that Spec has no place for.
	handled := []string{"filter_env", "append_env_to_name", "log_file", "log_type", "log_date_format", "time", "shutdown_with_message",
		"watch", "ignore_watch", "watch_delay", "cron_restart", "max_memory_restart"}
	known := map[string]bool{}
	for _, f := range ecosystem.Fields() {
		known[f.Name] = true
		done := f.Spec != "" || len(f.Parts) > 0 || slices.Contains(handled, f.Name)
		if verdict, listed := rows[f.Name]; !listed || done != (verdict != "not done") {
			t.Errorf("docs/pm2.md says that %s is %q", f.Name, verdict)
		}
	}
	for name := range rows {
		if !known[name] {
			t.Errorf("docs/pm2.md mentions %s, which is no field", name)
		}
	}
}

// scripted returns the words that follow a binary's name on the lines of the e2e scripts: commands and options.
func scripted(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	used := map[string]bool{}
	call := regexp.MustCompile(`^(?:! |exits \d+ )?(?:gpm|pm2|pm2-runtime|pm2-docker) (.*)$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if m := call.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				for _, word := range strings.Fields(m[1]) {
					name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
					used[name] = true
				}
			}
		}
	}
	return used
}

// TestPageIsScripted: what docs/pm2.md says is the same or better has been seen through the built binary.
func TestPageIsScripted(t *testing.T) {
	used := scripted(t)
	for _, section := range []string{"Commands", "Options of start"} {
		for name, verdict := range pm2Rows(t, section) {
			if verdict != "not done" && !used[name] {
				t.Errorf("docs/pm2.md says that %s is %s, and no script runs it", name, verdict)
			}
		}
	}
}
