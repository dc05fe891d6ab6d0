package app

// ApplyRequest asks for the apps of a file: those that exist, by name, take their new settings and are
// restarted, the others are started. It is carried out whole or not at all.
type ApplyRequest struct {
	Apps      []Declared        `json:"apps"`
	Env       map[string]string `json:"env,omitempty"`        // the caller's environment, see Declared.Inherit
	Action    Action            `json:"action,omitempty"`     // for those that exist: restart (also "") or reload
	KeepGoing bool              `json:"keep_going,omitempty"` // leave out what cannot be started, and report it
}

// Declared is one app of a file.
type Declared struct {
	Spec    Spec   `json:"spec"`              // complete: what the file does not say has its default
	Set     Fields `json:"set,omitempty"`     // what the file says; without "instances" an app keeps the number it has
	Inherit bool   `json:"inherit,omitempty"` // Spec.Env goes over ApplyRequest.Env; else it is the whole environment
	Down    bool   `json:"down,omitempty"`    // only add it: it is not started until somebody asks for it
	Place   string `json:"place,omitempty"`   // file:line:col of the declaration, for errors
}

// SaveRequest asks for a snapshot of the list.
type SaveRequest struct {
	Force bool `json:"force,omitempty"` // also an empty list
	Clear bool `json:"clear,omitempty"` // an empty list, whatever there is
}

// Saved says what was saved.
type Saved struct {
	Processes int    `json:"processes"`
	File      string `json:"file"` // the copy in pm2's format; "" = nothing was saved
}

// FlushRequest names the processes whose log files are to be emptied; none is all, and the daemon's too.
type FlushRequest struct {
	Selectors []string `json:"selectors,omitempty"`
}

// Flushed lists the log files that were emptied or are opened anew.
type Flushed struct {
	Files []string `json:"files"`
}

// InputRequest is text for the standard input of one process.
type InputRequest struct {
	ID   int    `json:"id"`
	Text string `json:"text"` // as it is, so with a newline at the end of a line
}
