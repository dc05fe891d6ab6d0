// Package envfile reads files of KEY=VALUE lines, as .env files are.
package envfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/joho/godotenv"
)

// maxSize bounds a file: an environment has no room for more.
const maxSize = 2 << 20

// Mistake is what is wrong with the text of a file.
type Mistake struct {
	Line int // from 1; 0 = unknown
	Why  string
	Hint string
}

func (m *Mistake) Error() string {
	if m.Line == 0 {
		return m.Why
	}
	return fmt.Sprintf("line %d: %s", m.Line, m.Why)
}

// Read reads a file, which may be no pipe or device: such a one could keep us for ever.
func Read(path string) (map[string]string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("it has more than %d MiB", maxSize>>20)
	}
	return Parse(data)
}

// Parse reads the lines of a file. Its errors are *Mistake.
func Parse(data []byte) (vars map[string]string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = mistake(data)
		}
	}()
	vars, err = godotenv.UnmarshalBytes(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != nil {
		return nil, mistake(data)
	}
	for name, value := range vars {
		if !IsVariable(name) || strings.ContainsRune(value, 0) {
			return nil, &Mistake{Why: fmt.Sprintf("%q is no variable", name)}
		}
	}
	return vars, nil
}

// IsVariable says whether an environment can hold a variable of that name.
func IsVariable(name string) bool { return name != "" && !strings.ContainsAny(name, "=\x00") }

// mistake points at the first line that is no assignment: the library names none.
func mistake(data []byte) *Mistake {
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.ContainsAny(line, "=:") {
			return &Mistake{Line: n, Why: fmt.Sprintf("%.40q is not KEY=VALUE", line)}
		}
	}
	return &Mistake{Why: "it is no list of KEY=VALUE lines", Hint: "a quote may not be closed"}
}
