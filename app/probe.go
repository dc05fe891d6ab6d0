package app

import "time"

// Probe is a question to a program, to which the answer is yes or no. One of the three is given. In HTTP and TCP
// "$PORT" and the like stand for variables of the process that is asked.
type Probe struct {
	HTTP string   `json:"http,omitempty"` // a URL, yes is an answer below 400; a path alone is asked at $PORT
	TCP  string   `json:"tcp,omitempty"`  // an address that accepts connections, host:port or a port
	Exec []string `json:"exec,omitempty"` // a command that ends with code 0; a single word is a line for the shell
}

// IsZero says that nothing is asked.
func (p Probe) IsZero() bool { return p.HTTP == "" && p.TCP == "" && len(p.Exec) == 0 }

// String is the probe in a few words.
func (p Probe) String() string {
	switch {
	case p.HTTP != "":
		return "http " + p.HTTP
	case p.TCP != "":
		return "tcp " + p.TCP
	case len(p.Exec) > 0:
		return "exec " + p.Exec[0]
	}
	return "none"
}

// Health is how it is found out whether a process that runs is well. One that is not is replaced. One of the first
// three is given, as in [Probe].
type Health struct {
	HTTP        string        `json:"http,omitempty"`
	TCP         string        `json:"tcp,omitempty"`
	Exec        []string      `json:"exec,omitempty"`
	Interval    time.Duration `json:"interval,omitempty"`     // between two probes; 0 = 10 s
	Timeout     time.Duration `json:"timeout,omitempty"`      // of one; 0 = 5 s
	Retries     int           `json:"retries,omitempty"`      // failures in a row that make it unhealthy; 0 = 3
	StartPeriod time.Duration `json:"start_period,omitempty"` // after its start, in which failures do not count
}

// Probe is the question alone.
func (h Health) Probe() Probe { return Probe{h.HTTP, h.TCP, h.Exec} }

// WithDefaults fills in what is not said.
func (h Health) WithDefaults() Health {
	if h.Interval == 0 {
		h.Interval = 10 * time.Second
	}
	if h.Timeout == 0 {
		h.Timeout = 5 * time.Second
	}
	if h.Retries == 0 {
		h.Retries = 3
	}
	return h
}
