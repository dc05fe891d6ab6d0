package launch

import (
	"os/exec"

	"gpm/app"
	"gpm/master"
)

// identify knows only who we are: another user needs a password on Windows.
func identify(userName, groupName string) (identity, error) {
	if userName != "" || groupName != "" {
		return identity{}, app.Errorf(app.CodeInvalid, "uid and gid cannot be used on Windows").
			WithHint("run the gpm daemon as that user")
	}
	return ourselves(), nil
}

// actAs does nothing: a plan for another user is not made here.
func actAs(*exec.Cmd, *master.Credential) {}
