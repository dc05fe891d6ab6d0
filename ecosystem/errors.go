package ecosystem

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"gpm/app"
)

// badFile is what is wrong with a file, at a place in it where that is known, else at its beginning. The name of the
// file is added by whoever knows it.
type badFile struct {
	pos  pos
	file string // another file than the one that is read, "" = that one
	why  string
	hint string
}

func (e *badFile) Error() string { return e.why }

// bad makes a *badFile.
func bad(p pos, format string, args ...any) *badFile {
	return &badFile{pos: p, why: fmt.Sprintf(format, args...)}
}

func (e *badFile) withHint(format string, args ...any) *badFile {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

// sentence is what the user reads about the file of that name.
func (e *badFile) sentence(name string) *app.Error {
	where := place(name, e.pos)
	if e.file != "" && e.file != name {
		where = name + ": " + place(e.file, e.pos)
	}
	err := app.Errorf(app.CodeInvalid, "cannot read %s: %s", where, oneLine(e.why))
	if e.hint != "" {
		err = err.WithHint("%s", e.hint)
	}
	return err
}

// oneLine shows control characters, which come from the file, as escapes.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// place is file:line:col. What has no place of its own is the matter of the whole file, which begins at 1:1.
func place(file string, p pos) string {
	return fmt.Sprintf("%s:%d:%d", file, max(1, p.line), max(1, p.col))
}
