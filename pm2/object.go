package pm2

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Object is a JSON object that keeps the order of its keys, as JavaScript does:
// people compare and count the lines of pm2's output. The zero value is empty.
type Object struct {
	members []Member
	index   map[string]int
}

// Member is one key of an [Object] and its value.
type Member struct {
	Key   string
	Value any
}

// sized is an empty object with room for n keys.
func sized(n int) *Object {
	return &Object{members: make([]Member, 0, n), index: make(map[string]int, n)}
}

// Set gives key a value; a new key goes to the end.
func (o *Object) Set(key string, value any) {
	if i, ok := o.index[key]; ok {
		o.members[i].Value = value
		return
	}
	if o.index == nil {
		o.index = map[string]int{}
	}
	o.index[key] = len(o.members)
	o.members = append(o.members, Member{key, value})
}

// SetNew gives key a value unless it has one.
func (o *Object) SetNew(key string, value any) {
	if _, ok := o.index[key]; !ok {
		o.Set(key, value)
	}
}

// Get returns the value of key.
func (o *Object) Get(key string) (any, bool) {
	i, ok := o.index[key]
	if !ok {
		return nil, false
	}
	return o.members[i].Value, true
}

// Members returns the keys and values in order. The slice is the Object's own.
func (o *Object) Members() []Member { return o.members }

// Without returns a copy that lacks some keys.
func (o *Object) Without(keys ...string) *Object {
	drop := map[string]bool{}
	for _, k := range keys {
		drop[k] = true
	}
	out := sized(len(o.members))
	for _, m := range o.members {
		if !drop[m.Key] {
			out.Set(m.Key, m.Value)
		}
	}
	return out
}

// MarshalJSON implements json.Marshaler.
func (o *Object) MarshalJSON() ([]byte, error) { return o.appendTo(nil) }

func (o *Object) appendTo(out []byte) (_ []byte, err error) {
	out = append(out, '{')
	for i, m := range o.members {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendString(out, m.Key); err != nil {
			return nil, err
		}
		if out, err = appendValue(append(out, ':'), m.Value); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// Encode is json.Marshal without the escapes for HTML, as JavaScript writes it.
func Encode(v any) ([]byte, error) { return appendValue(nil, v) }

// appendValue writes what lists of processes are made of by itself: encoding/json checks and copies anew
// at every level what an Object has written.
func appendValue(out []byte, v any) (_ []byte, err error) {
	switch v := v.(type) {
	case string:
		return appendString(out, v)
	case bool:
		return strconv.AppendBool(out, v), nil
	case int:
		return strconv.AppendInt(out, int64(v), 10), nil
	case *Object:
		if v != nil {
			return v.appendTo(out)
		}
	case []*Object:
		if v == nil {
			break
		}
		out = append(out, '[')
		for i, o := range v {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = appendValue(out, o); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	}
	return appendAny(out, v)
}

func appendString(out []byte, s string) ([]byte, error) {
	if isPlain(s) {
		return append(append(append(out, '"'), s...), '"'), nil
	}
	return appendAny(out, s)
}

func appendAny(out []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(out)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// isPlain says that a string needs no escapes.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
