package launch

import (
	"os/user"

	"gpm/app"
	"gpm/master"
)

// identity is who a process runs as. Without a credential it is who we are.
type identity struct {
	name       string
	home       string
	credential *master.Credential
}

// Owner returns the user and group of the files of an app that runs as somebody else; ok is false where they
// are ours.
func Owner(spec app.Spec) (uid, gid int, ok bool) {
	if spec.User == "" && spec.Group == "" {
		return 0, 0, false
	}
	who, err := identify(spec.User, spec.Group)
	if err != nil || who.credential == nil { // then it does not start either
		return 0, 0, false
	}
	return int(who.credential.UID), int(who.credential.GID), true
}

// UserOf names who an app will run as.
func UserOf(spec app.Spec) string {
	if spec.User != "" {
		return spec.User
	}
	return ourselves().name
}

// ourselves is the user of this process.
func ourselves() identity {
	u, err := user.Current()
	if err != nil {
		return identity{}
	}
	return identity{name: u.Username, home: u.HomeDir}
}
