package ecosystem

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML decodes with the library's checks, and takes the places and the order of the keys from
// a second pass over its expressions.
func parseTOML(src []byte) (*node, error) {
	var tree map[string]any
	if err := safeTOML(src, &tree); err != nil {
		return nil, err
	}
	if len(tree) == 0 {
		return nil, bad(pos{}, "it is empty")
	}
	p := &tomlPlaces{src: src, at: map[string]int{}, tables: map[string]int{}}
	p.scan()
	return p.node(tree, "", 0)
}

func safeTOML(src []byte, into any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = bad(pos{}, "it is no TOML that can be understood")
		}
	}()
	if err := boundTOML(src); err != nil {
		return err
	}
	err = toml.Unmarshal(src, into)
	if bad1, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, col := bad1.Position()
		return bad(pos{line, col}, "%s", strings.TrimPrefix(bad1.Error(), "toml: "))
	}
	return err
}

// boundTOML refuses what would need much time or stack: large files, deep nesting, long dotted keys.
func boundTOML(src []byte) error {
	if len(src) > maxYAML {
		return bad(pos{}, "it has %d KiB, and a TOML file may have %d KiB", len(src)>>10, maxYAML>>10)
	}
	if bytes.Count(src, []byte("=")) > maxYAMLLines { // keys of one table are looked up one by one
		return bad(pos{}, "it has more than %d keys", maxYAMLLines)
	}
	depth, line := 0, 0
	for text := range bytes.Lines(src) {
		line++
		depth += bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
		depth = max(0, depth-bytes.Count(text, []byte("]"))-bytes.Count(text, []byte("}")))
		key, _, _ := bytes.Cut(text, []byte("="))
		if depth > maxYAMLMarks || bytes.Count(key, []byte(".")) > maxYAMLMarks {
			return bad(pos{line: line}, "it is nested too deep")
		}
	}
	return nil
}

// tomlPlaces knows where each key of a file stands, by its path.
type tomlPlaces struct {
	src    []byte
	at     map[string]int // path -> offset of its key
	tables map[string]int // path of an array of tables -> how many so far
	lines  []int          // offsets of the line starts
}

const pathEnd = "\x00" // joins the steps of a path: a byte that no key can hold

// scan walks the expressions; it stops at what it does not understand, as the places serve only messages.
func (p *tomlPlaces) scan() {
	defer func() { _ = recover() }() // the unstable parser may panic on what the decoder took; places are then missing
	for i, c := range p.src {
		if c == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	var parser unstable.Parser
	parser.Reset(p.src)
	table := ""
	for parser.NextExpression() {
		switch e := parser.Expression(); e.Kind {
		case unstable.Table:
			table = p.key(e.Key(), "")
		case unstable.ArrayTable:
			table = p.arrayTable(e.Key())
		case unstable.KeyValue:
			p.keyValue(e, table)
		}
	}
}

// key notes the place of every step of a dotted key below a path and returns the whole path.
func (p *tomlPlaces) key(steps unstable.Iterator, path string) string {
	for steps.Next() {
		step := steps.Node()
		if n, isArray := p.tables[path]; isArray {
			path += pathEnd + strconv.Itoa(n-1)
		}
		path += pathEnd + string(step.Data)
		if _, known := p.at[path]; !known {
			p.at[path] = int(step.Raw.Offset)
		}
	}
	return path
}

func (p *tomlPlaces) arrayTable(steps unstable.Iterator) string {
	path := p.key(steps, "")
	p.tables[path]++
	path += pathEnd + strconv.Itoa(p.tables[path]-1)
	return path
}

func (p *tomlPlaces) keyValue(e *unstable.Node, table string) {
	if n, isArray := p.tables[table]; isArray {
		table += pathEnd + strconv.Itoa(n-1)
	}
	p.inside(e.Value(), p.key(e.Key(), table))
}

// inside notes the keys of inline tables, also those in arrays.
func (p *tomlPlaces) inside(v *unstable.Node, path string) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			p.keyValue(it.Node(), path)
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			p.inside(it.Node(), path+pathEnd+strconv.Itoa(i))
		}
	}
}

func (p *tomlPlaces) pos(path string) pos {
	offset, ok := p.at[path]
	if !ok {
		return pos{}
	}
	line, exact := slices.BinarySearch(p.lines, offset)
	if exact {
		line++
	}
	start := 0
	if line > 0 {
		start = p.lines[line-1]
	}
	return pos{line + 1, utf8.RuneCount(p.src[start:offset]) + 1}
}

func (p *tomlPlaces) node(v any, path string, depth int) (*node, error) {
	at := p.pos(path)
	if depth > maxDepth {
		return nil, bad(at, "it is nested deeper than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		return p.object(v, path, depth)
	case []any:
		return p.list(v, path, depth)
	case string:
		return &node{kind: text, text: v, pos: at}, nil
	case bool:
		return &node{kind: boolean, yes: v, pos: at}, nil
	case int64:
		return &node{kind: number, text: strconv.FormatInt(v, 10), pos: at}, nil
	case float64:
		return &node{kind: number, text: numberText(v), pos: at}, nil
	case time.Time:
		return &node{kind: text, text: v.Format(time.RFC3339Nano), pos: at}, nil
	case fmt.Stringer: // the library's local dates and times
		return &node{kind: text, text: v.String(), pos: at}, nil
	}
	return nil, bad(at, "a value of this kind cannot be used")
}

func (p *tomlPlaces) list(v []any, path string, depth int) (*node, error) {
	out := &node{kind: list, pos: p.pos(path)}
	for i, item := range v {
		n, err := p.node(item, path+pathEnd+strconv.Itoa(i), depth+1)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, n)
	}
	return out, nil
}

func (p *tomlPlaces) object(v map[string]any, path string, depth int) (*node, error) {
	out := &node{kind: object, pos: p.pos(path)}
	for key, value := range v {
		below := path + pathEnd + key
		n, err := p.node(value, below, depth+1)
		if err != nil {
			return nil, err
		}
		out.members = append(out.members, member{key, p.pos(below), n})
	}
	slices.SortFunc(out.members, func(a, b member) int { // a map has lost the order of the file
		if d := p.at[path+pathEnd+a.key] - p.at[path+pathEnd+b.key]; d != 0 {
			return d
		}
		return strings.Compare(a.key, b.key)
	})
	return out, nil
}
