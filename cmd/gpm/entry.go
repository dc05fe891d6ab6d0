package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"gpm/app"
	"gpm/cluster/sockets"
	"gpm/master"
)

// entry runs the processes behind the commands, without the machinery of the command line: a
// master should stay small. ok is false for anything that is a command.
//
//	gpm master --home H    the parent of every worker
//	gpm master --check     says whether it could take over the table at its input
//	gpm guard …            stands by while a master becomes another program
//	gpm daemon --home H    the brain; its master starts it
//	gpm self-test …        tries itself before an update
//	gpm service --home H   master and daemon as a Windows service
//	gpm service-ended …    ends what a service that has ended left behind
//	gpm exec-worker …      a worker, between fork and exec
//	gpm exec-listen P …    a worker that is given sockets, before it becomes program P
//	gpm static-server      a worker that serves files, see gpm serve
func entry(args []string, stderr io.Writer) (code int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	home := ""
	if len(args) == 3 && args[1] == "--home" {
		home = args[2]
	}
	switch {
	case args[0] == "self-test" && len(args) == 3 && args[1] == "--database":
		return exitCode(stderr, selfTest(args[2])), true
	case args[0] == "master" && len(args) == 2 && args[1] == "--check":
		return exitCode(stderr, master.CheckTable()), true
	case args[0] == "master" && len(args) == 5 && args[1] == "--home" && args[3] == "--resume":
		return exitCode(stderr, resumeMaster(args[2], args[4])), true
	case args[0] == "service" && home != "":
		return exitCode(stderr, runService(home)), true
	case args[0] == "service-ended" && home != "":
		return exitCode(stderr, serviceEnded(home)), true
	case args[0] == "master" && home != "":
		return exitCode(stderr, runMaster(home)), true
	case args[0] == "guard" && len(args) == 5 && args[1] == "--home" && args[3] == "--master":
		return exitCode(stderr, standGuard(args[2], args[4])), true
	case args[0] == "daemon" && home != "":
		return exitCode(stderr, runDaemon(home)), true
	case args[0] == "exec-listen" && len(args) > 2:
		return exitCode(stderr, sockets.ExecListening(args[1], args[2:], os.Environ())), true
	case args[0] == staticServer && len(args) == 1:
		return exitCode(stderr, serveFiles()), true
	case args[0] == "exec-worker":
		return exitCode(stderr, execWorker(args[1:])), true
	}
	return 0, false
}

// exitCode says on stderr, in one line, why a process ends, and tells its master by the code.
func exitCode(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if e := app.AsError(err); e.Hint != "" {
		err = fmt.Errorf("%w; %s", err, e.Hint)
	}
	fmt.Fprintln(stderr, err)
	switch {
	case errors.Is(err, app.ErrConflict):
		return master.ExitAlreadyRunning
	case errors.Is(err, app.ErrStorage):
		return master.ExitRefused
	}
	return 1
}
