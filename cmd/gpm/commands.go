package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The groups of commands in the help.
const (
	groupAct  = "act"
	groupRead = "read"
	groupSelf = "self"
)

// command is a row of the table of commands.
type command struct {
	names string // its words on the command line, aliases too
	group string // "" = not in the help
	make  func(*cli) []*cobra.Command
}

// commands makes what the row stands for.
func (row command) commands(c *cli) []*cobra.Command {
	made := row.make(c)
	for _, cmd := range made {
		cmd.GroupID = row.group
	}
	return made
}

// one is for the rows of a single command.
func one(make func(*cli) *cobra.Command) func(*cli) []*cobra.Command {
	return func(c *cli) []*cobra.Command { return []*cobra.Command{make(c)} }
}

// commandTable lists all commands. The names stand here as well, so that a command line makes no more
// than the one it needs: making all of them, with their options, is a good part of the time of `gpm list`.
func commandTable() []command {
	return []command{
		{"start", groupAct, one(newStartCommand)},
		{"stop", groupAct, one(newStopCommand)},
		{"restart", groupAct, one(newRestartCommand)},
		{"reload", groupAct, one(newReloadCommand)},
		{"scale", groupAct, one(newScaleCommand)},
		{"delete del", groupAct, one(newDeleteCommand)},
		{"reset", groupAct, one(newResetCommand)},
		{"sendSignal", groupAct, one(newSignalCommand)},
		{"send", groupAct, one(newSendCommand)},
		{"trigger", groupAct, one(newTriggerCommand)},
		{"attach", groupAct, one(newAttachCommand)},
		{"runtime", groupAct, one(newRuntimeCommand)},
		{"dev", groupAct, one(newDevCommand)},
		{"serve expose", groupAct, one(newServeCommand)},
		{"deploy", groupAct, one(newDeployCommand)},
		{"pull forward backward", groupAct, newPullCommands},
		{"startOrRestart startOrReload startOrGracefulReload", groupAct, newStartOrCommands},

		{"list ls l ps status", groupRead, one(newListCommand)},
		{"jlist", groupRead, one(newJlistCommand)},
		{"prettylist", groupRead, one(newPrettylistCommand)},
		{"slist sysinfos", groupRead, one(newSlistCommand)},
		{"describe desc info show", groupRead, one(newDescribeCommand)},
		{"monit dashboard dash imonit", groupRead, one(newMonitCommand)},
		{"logs log", groupRead, one(newLogsCommand)},
		{"env", groupRead, one(newEnvCommand)},
		{"why", groupRead, one(newWhyCommand)},
		{"watch", groupRead, one(newWatchCommand)},
		{"events", groupRead, one(newEventsCommand)},
		{"bus", groupRead, one(newBusCommand)},
		{"id", groupRead, one(newIDCommand)},
		{"pid", groupRead, one(newPIDCommand)},
		{"report", groupRead, one(newReportCommand)},
		{"inspect", groupRead, one(newInspectCommand)},
		{"heap", groupRead, one(newHeapCommand)},
		{"profile", groupRead, one(newProfileCommand)},
		{"modules", groupRead, one(newModulesCommand)},

		{"save dump", groupSelf, one(newSaveCommand)},
		{"resurrect", groupSelf, one(newResurrectCommand)},
		{"import", groupSelf, one(newImportCommand)},
		{"cleardump", groupSelf, one(newCleardumpCommand)},
		{"flush", groupSelf, one(newFlushCommand)},
		{"reloadLogs", groupSelf, one(newReloadLogsCommand)},
		{"init ecosystem", groupSelf, one(newInitCommand)},
		{"examples", groupSelf, one(newExamplesCommand)},
		{"ping", groupSelf, one(newPingCommand)},
		{"update updatePM2", groupSelf, one(newUpdateCommand)},
		{"doctor", groupSelf, one(newDoctorCommand)},
		{"startup", groupSelf, one(newStartupCommand)},
		{"unstartup", groupSelf, one(newUnstartupCommand)},
		{"kill", groupSelf, one(newKillCommand)},
		{"daemon", groupSelf, one(newDaemonCommand)},
		{"version", groupSelf, one(newVersionCommand)},
		{"set multiset get conf config unset", groupSelf, newConfCommands},
		{elsewhereNames(), "", newElsewhereCommands},
	}
}

// firstWord is the word that begins a command line if it is in the table, else "".
func firstWord(args []string) string {
	if len(args) == 0 || !slices.ContainsFunc(commandTable(), func(row command) bool {
		return slices.Contains(strings.Fields(row.names), args[0])
	}) {
		return ""
	}
	return args[0]
}
