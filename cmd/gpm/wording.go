package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gpm/app"
)

// spoken are the sentences that scripts written for pm2 look for: how gpm says it, and how it does when it is called
// pm2. The first that matches counts.
var spoken = []struct{ ours, theirs string }{
	{`^cannot find (?:process or namespace|a process whose name matches) "?(.*?)"?$`, "Process or Namespace $1 not found"},
	{`^cannot run "pm2.*": missing required argument (.*)$`, "error: missing required argument `$1'"},
	{`^cannot run "pm2.*": unknown option (.*)$`, "error: unknown option `$1'"},
	{`^cannot run "pm2 ([^"]*)": no such command$`, "Command not found: $1"},
	{`^cannot read (.*): it does not exist$`, "File $1 not found"},
	{`^cannot read ([^:]*)(:\d.*)$`, "File $1 malformated$2"},
	{`^cannot start: .* there is no ecosystem.config.js here$`, "File ecosystem.config.js not found"},
	{`^(\S+:\d+:\d+: )?cannot start "(.*)": there is no such file in (.*), and no such program on PATH$`, "${1}Script not found: $3/$2"},
	{`^(\S+:\d+:\d+: )?cannot start .*: the file "(.*)" does not exist$`, "${1}Script not found: $2"},
	{`^cannot start "(.*)": the script is running already as (.*)$`, "Script already launched, add -f option to force re-execution: $1 is $2"},
	{`^(\S+:\d+:\d+: )?cannot start (.*): its interpreter "(.*)" is not on PATH$`, "${1}Interpreter $3 is NOT AVAILABLE in PATH, and $2 needs it"},
	{`^cannot trigger .*: no process has announced this action$`, "Not any process has received a command (offline or unexistent)"},
}

// inTheirWords says it as pm2 does.
func inTheirWords(text string) string {
	for _, s := range spoken {
		if re := regexp.MustCompile(s.ours); re.MatchString(text) {
			return re.ReplaceAllString(text, s.theirs)
		}
	}
	return text
}

// announcement says what is about to be done to processes.
func (c *cli) announcement(req app.ActionRequest, ids []int) {
	target := strings.Join(req.Selectors, ", ")
	switch {
	case c.role == asPM2 && req.Action == app.ActionReset:
		for _, id := range ids {
			c.say("Resetting meta for process id %d", id)
		}
	case c.role == asPM2 && req.Action == app.ActionSignal:
		c.say("Sending signal to process name %s", target)
	default:
		c.applying(req.Action, target, ids)
	}
}

func (c *cli) applying(action app.Action, target string, ids []int) {
	c.say("Applying action %sProcessId on app [%s](ids: %s)", action, target, jsList(ids))
}

// remark prints a message that has no prefix in pm2.
func (c *cli) remark(format string, args ...any) {
	if c.role == asPM2 && !c.silent {
		fmt.Fprintf(c.out, format+"\n", args...)
		return
	}
	c.say(format, args...)
}

// note says what a request begins with. pm2 warns, on stdout, of apps that are new.
func (c *cli) note(text string) {
	if c.role == asPM2 && strings.HasPrefix(text, "Applications ") && !c.silent {
		fmt.Fprintln(c.out, c.paint().paint(yellow, c.prefix()+"[WARN]")+" "+text)
		return
	}
	c.say("%s", text)
}

// launched are the new apps of a start, in the order in which they came up, with the number of their instances.
type launched struct {
	names  []string
	counts map[string]int
}

func (l *launched) add(name string) {
	if l.counts == nil {
		l.counts = map[string]int{}
	}
	if l.counts[name]++; l.counts[name] == 1 {
		l.names = append(l.names, name)
	}
}

// sayDone ends a start of programs in pm2's words.
func (p *progress) sayDone() {
	switch {
	case p.c.role != asPM2 || p.failed > 0:
	case len(p.fresh.names) > 0:
		p.c.say("Done.")
	default:
		p.c.say("Process successfully started")
	}
}

// sayLaunched ends a start of a file in pm2's words.
func (p *progress) sayLaunched() {
	slices.Sort(p.fresh.names)
	for _, name := range p.fresh.names {
		p.c.say("App [%s] launched (%d instances)", clean(name), p.fresh.counts[name])
	}
}
