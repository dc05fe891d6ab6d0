package ecosystem

// Static is one directory that the static server is to serve.
type Static struct {
	Name               string
	Host               string
	Port               int
	Path               string // prefix of the URL
	Directory          string
	SPA                bool // unknown paths get index.html
	FTP                bool // directories are listed
	Monitor            bool
	Username, Password string // basic authentication; "" = none
}

// staticField is a key of an element of "static".
type staticField struct {
	name string
	kind Type
	put  func(*Static, any)
}

func staticFields() []staticField {
	return []staticField{
		{"name", Text, func(s *Static, v any) { s.Name = v.(string) }},
		{"host", Text, func(s *Static, v any) { s.Host = v.(string) }},
		{"port", Count, func(s *Static, v any) { s.Port = v.(int) }},
		{"path", Text, func(s *Static, v any) { s.Path = v.(string) }},
		{"directory", Text, func(s *Static, v any) { s.Directory = v.(string) }},
		{"spa", Bool, func(s *Static, v any) { s.SPA = v.(bool) }},
		{"ftp", Bool, func(s *Static, v any) { s.FTP = v.(bool) }},
		{"monitor", Bool, func(s *Static, v any) { s.Monitor = v.(bool) }},
		{"username", Text, func(s *Static, v any) { s.Username = v.(string) }},
		{"password", Text, func(s *Static, v any) { s.Password = v.(string) }},
	}
}

func readStatic(m member) ([]Static, error) {
	if m.value.kind == null {
		return nil, nil
	}
	if m.value.kind != list {
		return nil, bad(m.value.pos.or(m.pos), `"static" must be a list, not %s`, m.value.describe())
	}
	out := []Static{}
	for _, item := range m.value.items {
		if item.kind != object {
			return nil, bad(item.pos, `an element of "static" must be an object, not %s`, item.describe())
		}
		var s Static
		members := item.members
		if auth, ok := item.get("basic_auth"); ok {
			members = append(members[:len(members):len(members)], auth.value.members...)
		}
		if err := s.fill(members); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (s *Static) fill(members []member) error {
	for _, m := range members {
		for _, f := range staticFields() {
			if f.name != m.key || m.value.kind == null {
				continue
			}
			v, ok := converters[f.kind](m.value, 1)
			if !ok {
				return bad(m.value.pos.or(m.pos), "%s of \"static\" must be %s, not %s", f.name, wanted[f.kind], m.value.describe())
			}
			f.put(s, v)
		}
	}
	return nil
}
