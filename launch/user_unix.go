//go:build unix

package launch

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"gpm/app"
	"gpm/master"
)

// identify finds the user and group that a spec names, by name or number.
func identify(userName, groupName string) (identity, error) {
	return identifyAs(os.Geteuid(), os.Getegid(), userName, groupName)
}

// identifyAs is identify for a daemon that runs as euid and egid.
func identifyAs(euid, egid int, userName, groupName string) (identity, error) {
	if userName == "" && groupName == "" {
		return ourselves(), nil
	}
	u, err := lookupUser(cmp.Or(userName, strconv.Itoa(euid)))
	if err != nil {
		return identity{}, err
	}
	if groupName != "" {
		if u.Gid, err = lookupGroup(groupName); err != nil {
			return identity{}, err
		}
	}
	if u.Gid == "" {
		return identity{}, app.Errorf(app.CodeInvalid, "user %s is not in the user database, so that its group is not known", u.Uid).
			WithHint("give --gid too")
	}
	cred, err := credential(u)
	if err != nil {
		return identity{}, err
	}
	who := identity{name: u.Username, home: u.HomeDir, credential: cred}
	return who.permitted(euid, egid)
}

// permitted says whether a daemon of euid may run as who. Being oneself needs no right and
// no change.
func (who identity) permitted(euid, egid int) (identity, error) {
	switch {
	case euid == 0:
		return who, nil
	case int(who.credential.UID) == euid && int(who.credential.GID) == egid:
		who.credential = nil
		return who, nil
	}
	return identity{}, app.Errorf(app.CodeForbidden, "only root can run it as user %s and group %d", who.name, who.credential.GID).
		WithHint("leave out uid and gid, or run the gpm daemon as root")
}

func lookupUser(name string) (*user.User, error) {
	u, err := user.Lookup(name)
	if _, unknown := errors.AsType[user.UnknownUserError](err); !unknown {
		return u, systemError(err)
	}
	if !isNumber(name) {
		return nil, app.Errorf(app.CodeNotFound, "there is no user %q", name).WithHint("getent passwd lists the users")
	}
	u, err = user.LookupId(name)
	if _, unknown := errors.AsType[user.UnknownUserIdError](err); unknown {
		return &user.User{Uid: name, Username: name}, nil // the kernel does not mind
	}
	return u, systemError(err)
}

func lookupGroup(name string) (gid string, err error) {
	g, err := user.LookupGroup(name)
	if err == nil {
		return g.Gid, nil
	}
	if _, unknown := errors.AsType[user.UnknownGroupError](err); !unknown {
		return "", systemError(err)
	}
	if !isNumber(name) {
		return "", app.Errorf(app.CodeNotFound, "there is no group %q", name).WithHint("getent group lists the groups")
	}
	return name, nil
}

// credential adds the supplementary groups; a user outside the database has none.
func credential(u *user.User) (*master.Credential, error) {
	ids := []string{u.Gid}
	if u.Username != u.Uid {
		more, err := u.GroupIds()
		if err != nil {
			return nil, systemError(err)
		}
		ids = append(ids, more...)
	}
	uid, err := parseID(u.Uid)
	if err != nil {
		return nil, err
	}
	c := &master.Credential{UID: uid}
	for _, id := range ids {
		gid, err := parseID(id)
		if err != nil {
			return nil, err
		}
		c.Groups = append(c.Groups, gid)
	}
	c.GID = c.Groups[0]
	slices.Sort(c.Groups)
	c.Groups = slices.Compact(c.Groups)
	return c, nil
}

// parseID refuses the highest number: setuid(2) takes it for "no change".
func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, app.Errorf(app.CodeInvalid, "%q is no user or group number", s)
	}
	return uint32(n), nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

func systemError(err error) error {
	if err == nil {
		return nil
	}
	return app.Errorf(app.CodeInternal, "the user database cannot be read: %w", err)
}

// actAs has a command run as another user; nil is oneself.
func actAs(cmd *exec.Cmd, c *master.Credential) {
	if c != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: c.Groups}}
	}
}
