package launch

import "gpm/app"

// identify knows only who we are: another user needs a password on Windows.
func identify(userName, groupName string) (identity, error) {
	if userName != "" || groupName != "" {
		return identity{}, app.Errorf(app.CodeInvalid, "uid and gid cannot be used on Windows").
			WithHint("run the gpm daemon as that user")
	}
	return ourselves(), nil
}
