package launch

import (
	"os/user"

	"gpm/master"
)

// identity is who a process runs as. Without a credential it is who we are.
type identity struct {
	name       string
	home       string
	credential *master.Credential
}

// ourselves is the user of this process.
func ourselves() identity {
	u, err := user.Current()
	if err != nil {
		return identity{}
	}
	return identity{name: u.Username, home: u.HomeDir}
}
