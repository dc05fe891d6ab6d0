package pm2

import (
	"bytes"
	"encoding/json"
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
	out := &Object{}
	for _, m := range o.members {
		if !drop[m.Key] {
			out.Set(m.Key, m.Value)
		}
	}
	return out
}

// MarshalJSON implements json.Marshaler.
func (o *Object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o.members {
		if i > 0 {
			out = append(out, ',')
		}
		key, err := Encode(m.Key)
		if err != nil {
			return nil, err
		}
		value, err := Encode(m.Value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}

// Encode is json.Marshal without the escapes for HTML, as JavaScript writes it.
func Encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
