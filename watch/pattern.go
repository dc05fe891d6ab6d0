package watch

import (
	"strings"
)

// pattern is one line of a .gitignore file, gitignore(5).
type pattern struct {
	text    string   // as written
	source  string   // "file:line", or a word such as "default"
	segs    []string // between slashes; a "**" stands for any number of directories
	negate  bool     // re-includes
	dirOnly bool     // matches directories alone
	base    bool     // has no slash: matches the last name at any depth
}

// parsePattern reads one line; ok is false for blank lines and comments.
func parsePattern(line, source string) (p pattern, ok bool) {
	line = strings.TrimSuffix(line, "\r")
	p = pattern{text: line, source: source}
	if strings.HasPrefix(line, "#") {
		return p, false
	}
	line = trimSpaces(line)
	line, p.negate = strings.CutPrefix(line, "!")
	line, p.dirOnly = strings.CutSuffix(line, "/")
	p.base = !strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return p, false
	}
	p.segs = strings.Split(line, "/")
	for i, seg := range p.segs {
		if len(seg) > 2 && strings.Trim(seg, "*") == "" {
			p.segs[i] = "**"
		}
	}
	if !p.base && p.segs[len(p.segs)-1] == "**" {
		p.segs = append(p.segs, "*") // a final "/**" means what is inside, not the directory itself
	}
	return p, true
}

// trimSpaces cuts trailing spaces that no backslash protects.
func trimSpaces(s string) string {
	end := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
			end = min(i+1, len(s))
		case s[i] != ' ':
			end = i + 1
		}
	}
	return s[:end]
}

// parsePatterns reads a whole .gitignore file.
func parsePatterns(text, source string) []pattern {
	var out []pattern
	text = strings.TrimPrefix(text, "\ufeff")
	line := 0
	for l := range strings.SplitSeq(text, "\n") {
		line++
		if p, ok := parsePattern(l, at(source, line)); ok {
			out = append(out, p)
		}
	}
	return out
}

// match says whether rel, a slash path relative to the pattern's directory, is meant.
func (p pattern) match(rel string, isDir bool) bool {
	if p.dirOnly && !isDir {
		return false
	}
	if p.base {
		return matchName(p.segs[0], rel[strings.LastIndexByte(rel, '/')+1:])
	}
	return matchPath(p.segs, strings.Split(rel, "/"))
}

// matchPath matches segment by segment. As only the last "**" seen ever has to
// be widened, the work is bounded by the product of the lengths.
func matchPath(pat, path []string) bool {
	p, s, star, mark := 0, 0, -1, 0
	for s < len(path) {
		switch {
		case p < len(pat) && pat[p] == "**":
			star, mark = p, s
			p++
		case p < len(pat) && matchName(pat[p], path[s]):
			p++
			s++
		case star >= 0:
			mark++
			p, s = star+1, mark
		default:
			return false
		}
	}
	for p < len(pat) && pat[p] == "**" {
		p++
	}
	return p == len(pat)
}

// matchName matches one name with *, ?, [...] and backslash, byte by byte as
// git's wildmatch does. A malformed pattern matches nothing.
func matchName(pat, name string) bool {
	p, s, star, mark := 0, 0, -1, 0
	for s < len(name) {
		if p < len(pat) && pat[p] == '*' {
			star, mark = p, s
			p++
			continue
		}
		if n, ok := matchByte(pat[p:], name[s]); ok {
			p += n
			s++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, s = star+1, mark
	}
	return strings.Trim(pat[p:], "*") == ""
}

// matchByte matches one byte with the head of pat and returns the head's length.
func matchByte(pat string, c byte) (int, bool) {
	if pat == "" {
		return 0, false
	}
	switch pat[0] {
	case '?':
		return 1, true
	case '\\':
		return 2, len(pat) > 1 && pat[1] == c
	case '[':
		return matchClass(pat, c)
	}
	return 1, pat[0] == c
}

// matchClass matches a bracket expression such as [!a-z[:digit:]].
func matchClass(pat string, c byte) (int, bool) {
	i, negate, found := 1, false, false
	if i < len(pat) && (pat[i] == '!' || pat[i] == '^') {
		negate = true
		i++
	}
	for first := true; ; first = false {
		if i >= len(pat) {
			return 0, false // never closed
		}
		if pat[i] == ']' && !first {
			return i + 1, found != negate
		}
		n, hit, ok := classItem(pat[i:], c)
		if !ok {
			return 0, false
		}
		found = found || hit
		i += n
	}
}

// classItem matches the head of a bracket expression's inside: [:name:], a-b or a.
func classItem(s string, c byte) (n int, hit, ok bool) {
	if strings.HasPrefix(s, "[:") {
		end := strings.Index(s, "]")
		if end >= 3 && s[end-1] == ':' {
			in, known := classNames(s[2:end-1], c)
			return end + 1, in, known
		}
	}
	lo, n := classByte(s)
	if n == 0 {
		return 0, false, false
	}
	if len(s) < n+2 || s[n] != '-' || s[n+1] == ']' {
		return n, c == lo, true
	}
	hi, m := classByte(s[n+1:])
	return n + 1 + m, lo <= c && c <= hi, m > 0
}

func classByte(s string) (byte, int) {
	if s[0] != '\\' {
		return s[0], 1
	}
	if len(s) < 2 {
		return 0, 0
	}
	return s[1], 2
}

func classNames(name string, c byte) (in, known bool) {
	lower, upper, digit := 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
	graph := c > ' ' && c < 0x7f
	switch name {
	case "alpha":
		return lower || upper, true
	case "alnum":
		return lower || upper || digit, true
	case "digit":
		return digit, true
	case "lower":
		return lower, true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F', true
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r', true
	case "blank":
		return c == ' ' || c == '\t', true
	case "punct":
		return graph && !lower && !upper && !digit, true
	case "graph":
		return graph, true
	case "print":
		return graph || c == ' ', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	}
	return false, false
}
