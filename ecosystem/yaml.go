package ecosystem

import (
	"bytes"
	"errors"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The parser needs time that grows with the square of the keys, and a stack that grows with the
// nesting, so what no settings file has is refused before it is parsed.
const (
	maxYAML      = 512 << 10 // bytes
	maxYAMLLines = 20_000
	maxYAMLMarks = 1_000   // brackets open at once, or indicators on a line
	maxNodes     = 100_000 // after aliases are followed
)

// parseYAML reads the one document of a file.
func parseYAML(src []byte) (*node, error) {
	if err := boundYAML(src); err != nil {
		return nil, err
	}
	file, err := safeYAML(src)
	if err != nil {
		return nil, err
	}
	docs := file.Docs
	for len(docs) > 0 && docs[len(docs)-1].Body == nil {
		docs = docs[:len(docs)-1]
	}
	switch {
	case len(docs) == 0:
		return nil, bad(pos{}, "it is empty")
	case len(docs) > 1:
		return nil, bad(tokenPos(docs[1].GetToken()), "it holds more than one document")
	}
	y := &yamlTree{anchors: map[string]ast.Node{}, open: map[string]bool{}}
	return y.node(docs[0].Body, 0)
}

// safeYAML turns a panic of the parser into an error: its input comes from anywhere.
func safeYAML(src []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = bad(pos{}, "it is no YAML that can be understood")
		}
	}()
	file, err = parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if yamlErr, ok := errors.AsType[yaml.Error](err); ok {
		return nil, bad(tokenPos(yamlErr.GetToken()), "%s", yamlErr.GetMessage())
	}
	return file, err
}

func boundYAML(src []byte) error {
	if len(src) > maxYAML {
		return bad(pos{}, "it has %d KiB, and a YAML file may have %d KiB", len(src)>>10, maxYAML>>10)
	}
	depth, line := 0, 0
	for text := range bytes.Lines(src) {
		if line++; line > maxYAMLLines {
			return bad(pos{}, "it has more than %d lines", maxYAMLLines)
		}
		marks := 0
		for _, c := range text {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			case '-', '?', '!', '&', '|', '>', '%':
				marks++
			}
		}
		if depth > maxYAMLMarks || marks > maxYAMLMarks && !isPlainLine(text) {
			return bad(pos{line: line}, "it is nested too deep")
		}
	}
	return nil
}

// isPlainLine says that a line does not begin with indicators, so that those in it are text.
func isPlainLine(line []byte) bool {
	rest := bytes.TrimLeft(line, "-?!&|>% \t")
	return len(rest) > len(line)/2
}

func tokenPos(t *token.Token) pos {
	if t == nil || t.Position == nil {
		return pos{}
	}
	return pos{t.Position.Line, max(1, t.Position.Column)}
}

// yamlTree makes our nodes of the parser's.
type yamlTree struct {
	anchors map[string]ast.Node
	open    map[string]bool // anchors whose content is being read: an alias to one is endless
	nodes   int
}

func (y *yamlTree) node(n ast.Node, depth int) (*node, error) {
	if n == nil {
		return &node{}, nil
	}
	at := tokenPos(n.GetToken())
	if y.nodes++; y.nodes > maxNodes {
		return nil, bad(at, "its aliases unfold to more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return nil, bad(at, "it is nested deeper than %d levels", maxDepth)
	}
	switch v := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return y.object(v.(ast.MapNode), at, depth)
	case *ast.SequenceNode:
		return y.list(v, at, depth)
	case *ast.AnchorNode:
		return y.anchor(v, depth)
	case *ast.AliasNode:
		return y.alias(v, depth)
	case *ast.TagNode:
		return y.tagged(v, depth)
	}
	return scalar(n, at)
}

// scalar reads what holds nothing else.
func scalar(n ast.Node, at pos) (*node, error) {
	switch v := n.(type) {
	case *ast.NullNode:
		return &node{pos: at}, nil
	case *ast.BoolNode:
		return &node{kind: boolean, yes: v.Value, pos: at}, nil
	case *ast.StringNode:
		return &node{kind: text, text: v.Value, pos: at}, nil
	case *ast.LiteralNode:
		return &node{kind: text, text: v.Value.Value, pos: at}, nil
	case *ast.FloatNode:
		return &node{kind: number, text: numberText(v.Value), pos: at}, nil
	case *ast.IntegerNode:
		return &node{kind: number, text: integerText(v.Value), pos: at}, nil
	case *ast.InfinityNode:
		return &node{kind: number, text: numberText(v.Value), pos: at}, nil
	case *ast.NanNode:
		return &node{kind: number, text: "NaN", pos: at}, nil
	}
	return nil, bad(at, "%s cannot stand here", quote(n.String()))
}

func (y *yamlTree) list(v *ast.SequenceNode, at pos, depth int) (*node, error) {
	out := &node{kind: list, pos: at}
	for _, item := range v.Values {
		n, err := y.node(item, depth+1)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, n)
	}
	return out, nil
}

func (y *yamlTree) object(v ast.MapNode, at pos, depth int) (*node, error) {
	out := &node{kind: object, pos: at}
	seen := map[string]bool{}
	var merged []member
	for it := v.MapRange(); it.Next(); {
		keyPos := tokenPos(it.Key().GetToken())
		value, err := y.node(it.Value(), depth+1)
		if err != nil {
			return nil, err
		}
		if it.Key().IsMergeKey() {
			more, err := mergeSources(value, keyPos)
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
			continue
		}
		key, err := y.key(it.Key(), depth)
		if err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, bad(keyPos, "the key %s is given twice", quote(key))
		}
		seen[key] = true
		out.members = append(out.members, member{key, keyPos, value})
	}
	for _, m := range merged { // what is written out wins over what is merged, and the first source over the next
		if !seen[m.key] {
			seen[m.key] = true
			out.members = append(out.members, m)
		}
	}
	return out, nil
}

// key reads a key, which is a scalar as text.
func (y *yamlTree) key(k ast.MapKeyNode, depth int) (string, error) {
	var inner ast.Node = k
	if m, ok := k.(*ast.MappingKeyNode); ok {
		inner = m.Value
	}
	n, err := y.node(inner, depth+1)
	if err != nil {
		return "", err
	}
	if n.kind == list || n.kind == object {
		return "", bad(n.pos, "a key must be a string")
	}
	return n.variable(), nil
}

// mergeSources are the members that "<<" brings, of one object or of several.
func mergeSources(value *node, at pos) ([]member, error) {
	sources := []*node{value}
	if value.kind == list {
		sources = value.items
	}
	var out []member
	for _, s := range sources {
		if s.kind != object {
			return nil, bad(at, "<< merges objects, not %s", s.describe())
		}
		out = append(out, s.members...)
	}
	return out, nil
}

func (y *yamlTree) anchor(v *ast.AnchorNode, depth int) (*node, error) {
	name := nameOf(v.Name)
	y.anchors[name] = v.Value
	y.open[name] = true
	n, err := y.node(v.Value, depth+1)
	delete(y.open, name)
	return n, err
}

func (y *yamlTree) alias(v *ast.AliasNode, depth int) (*node, error) {
	name, at := nameOf(v.Value), tokenPos(v.GetToken())
	target, ok := y.anchors[name]
	switch {
	case !ok:
		return nil, bad(at, "there is no anchor %s before this alias", quote(name))
	case y.open[name]:
		return nil, bad(at, "the alias %s stands inside its own anchor", quote(name))
	}
	y.open[name] = true
	n, err := y.node(target, depth+1)
	delete(y.open, name)
	return n, err
}

func nameOf(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// tagged honours !!str, with which people keep a number a string; other tags change nothing.
func (y *yamlTree) tagged(v *ast.TagNode, depth int) (*node, error) {
	n, err := y.node(v.Value, depth+1)
	if err == nil && v.Start != nil && v.Start.Value == "!!str" && (n.kind == number || n.kind == boolean || n.kind == null) {
		raw := ""
		if v.Value != nil && v.Value.GetToken() != nil {
			raw = v.Value.GetToken().Value
		}
		n = &node{kind: text, text: raw, pos: n.pos}
	}
	return n, err
}
