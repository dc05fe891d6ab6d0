package boot

import "strings"

// windows makes a service of the machine. It has one process for everything, so nothing goes on when it ends, and a gpm
// that runs cannot be taken over.
func windows(s Service) Plan {
	return Plan{
		Exists: []string{"sc.exe", "query", s.Name},
		Enable: [][]string{
			{"sc.exe", "create", s.Name, "binPath=", `"` + s.Program + `" service --home "` + s.Home + `"`, "start=", "auto", "DisplayName=", "gpm process manager"},
			{"sc.exe", "failure", s.Name, "reset=", "60", "actions=", "restart/1000/restart/1000/restart/5000"},
		},
		Start:   [][]string{{"sc.exe", "start", s.Name}},
		End:     []string{"sc.exe", "stop", s.Name},
		Disable: [][]string{{"sc.exe", "delete", s.Name}},
		Notice:  "The apps run as LocalSystem, which may do anything; to have them run as you: sc.exe config " + s.Name + ` obj= ".\` + s.User[strings.LastIndex(s.User, `\`)+1:] + `" password= ..., then gpm daemon stop and sc.exe start ` + s.Name,
	}
}
