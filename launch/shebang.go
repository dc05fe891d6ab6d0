package launch

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// headSize is how much of a file is read to know its kind: what Linux reads for
// a "#!" line (BINPRM_BUF_SIZE).
const headSize = 256

// fileKind is what the first bytes of a file say.
type fileKind int

const (
	kindEmpty fileKind = iota
	kindText
	kindScript // begins with "#!"
	kindBinary
)

func kindOf(head []byte) fileKind {
	switch {
	case len(head) == 0:
		return kindEmpty
	case bytes.HasPrefix(head, []byte("#!")):
		return kindScript
	case bytes.IndexByte(head, 0) >= 0 || !validText(head):
		return kindBinary
	}
	return kindText
}

// validText allows for a character that the end of head cuts.
func validText(head []byte) bool {
	for range utf8.UTFMax {
		if utf8.Valid(head) {
			return true
		}
		if len(head) > 0 {
			head = head[:len(head)-1]
		}
	}
	return false
}

// Shebang is the first line of a script.
type Shebang struct {
	Interpreter string
	Arg         string // all after it, which the kernel passes as one argument; "" = none
	CR          bool   // the line ends in a carriage return, which the kernel takes for a part of it
}

// ParseShebang reads the "#!" line at the beginning of a file as execve(2) does. Not ok: there is
// none, or it names nothing.
func ParseShebang(head []byte) (s Shebang, ok bool) {
	line, found := bytes.CutPrefix(head, []byte("#!"))
	if !found {
		return s, false
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	line, s.CR = bytes.CutSuffix(line, []byte("\r"))
	text := strings.Trim(string(line), " \t")
	if at := strings.IndexAny(text, " \t"); at >= 0 {
		s.Interpreter, s.Arg = text[:at], strings.Trim(text[at:], " \t")
	} else {
		s.Interpreter = text
	}
	return s, s.Interpreter != "" && !strings.Contains(text, "\x00")
}
