package ipc

import (
	"net/http"
	"net/url"
	"strconv"

	"gpm/app"
)

// ListQuery is the query of GET /v1/processes: ?sel=a&sel=b&usage=1&node=1. No selector means all.
type ListQuery struct {
	Selectors []string
	Usage     bool // fill Status.Usage
	Node      bool // with Usage: wait a moment for what Node processes say about themselves
}

// DetailsQuery is the query of GET /v1/details: ?sel=a&brief=1.
type DetailsQuery struct {
	Selectors []string
	Brief     bool // Usage as in a list, no Pressure, no ProcEnv: what costs a look at each process, or is as long as all the rest, is left out
}

// EventQuery is the query of GET /v1/events: ?since=SEQ&follow=1&last=N.
type EventQuery struct {
	Since  uint64 // only events after this one
	Last   int    // at most so many of the past; 0 = all since Since
	Follow bool
}

// HistoryQuery is the query of GET /v1/history: ?sel=a&last=N.
type HistoryQuery struct {
	Selectors []string
	Last      int // at most so many, the newest; 0 = all
}

func (q ListQuery) values() url.Values {
	v := selectors(q.Selectors)
	if q.Usage {
		v.Set("usage", "1")
	}
	if q.Node {
		v.Set("node", "1")
	}
	return v
}

func (q *ListQuery) fromQuery(r *http.Request) error {
	p := parseParams(r)
	*q = ListQuery{Selectors: p.values["sel"], Usage: p.flag("usage"), Node: p.flag("node")}
	return p.err
}

func (q DetailsQuery) values() url.Values {
	v := selectors(q.Selectors)
	if q.Brief {
		v.Set("brief", "1")
	}
	return v
}

func (q *DetailsQuery) fromQuery(r *http.Request) error {
	p := parseParams(r)
	*q = DetailsQuery{Selectors: p.values["sel"], Brief: p.flag("brief")}
	return p.err
}

func (q EventQuery) values() url.Values {
	v := url.Values{"since": {strconv.FormatUint(q.Since, 10)}, "last": {strconv.Itoa(q.Last)}}
	if q.Follow {
		v.Set("follow", "1")
	}
	return v
}

func (q *EventQuery) fromQuery(r *http.Request) error {
	p := parseParams(r)
	*q = EventQuery{Since: p.number("since"), Last: int(p.number("last")), Follow: p.flag("follow")}
	return p.err
}

func (q HistoryQuery) values() url.Values {
	v := selectors(q.Selectors)
	v.Set("last", strconv.Itoa(q.Last))
	return v
}

func (q *HistoryQuery) fromQuery(r *http.Request) error {
	p := parseParams(r)
	*q = HistoryQuery{Selectors: p.values["sel"], Last: int(p.number("last"))}
	return p.err
}

func selectors(list []string) url.Values {
	v := url.Values{}
	if len(list) > 0 {
		v["sel"] = list
	}
	return v
}

// params reads a query and keeps the first error.
type params struct {
	values url.Values
	err    error
}

// parseParams does not take URL.Query, which drops what it cannot read: without its selectors a query
// would be about all processes.
func parseParams(r *http.Request) params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return params{err: app.Errorf(app.CodeInvalid, "cannot read the query: %w", err)}
	}
	return params{values: values}
}

func (p *params) number(name string) uint64 {
	s := p.values.Get(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil && p.err == nil {
		p.err = app.Errorf(app.CodeInvalid, "cannot read %s=%q: not a number of at least 0", name, s)
	}
	return n
}

func (p *params) flag(name string) bool {
	s := p.values.Get(name)
	if s == "" {
		return false
	}
	yes, err := strconv.ParseBool(s)
	if err != nil && p.err == nil {
		p.err = app.Errorf(app.CodeInvalid, "cannot read %s=%q: not 0 or 1", name, s)
	}
	return yes
}
