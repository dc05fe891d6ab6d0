package app

// UpgradeRequest asks a daemon to make way for another program.
type UpgradeRequest struct {
	Program string `json:"program"` // absolute path of a gpm
}

// SelfTest is what a gpm says of itself when it is asked whether it could take over.
type SelfTest struct {
	Version string `json:"version"`
	Schema  int    `json:"schema"` // of the database, after its migration
	Tables  []int  `json:"tables"` // versions of the master's table that it reads and writes; none: it cannot be upgraded to in place
}
