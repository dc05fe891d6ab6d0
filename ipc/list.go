package ipc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"time"

	"gpm/app"
)

// A long list crosses the socket as a JSON array with one element a line, and in parts: while the
// daemon still encodes the end, the client decodes the beginning, on all processors. A list of 5,000 takes half
// the time by that.
const (
	longList  = 256      // elements from which it is worth the trouble
	listPart  = 64 << 10 // bytes decoded in one go
	listStart = "[\n"
	listEnd   = "]\n"
)

// longListOf returns v as a list if it is a long one.
func longListOf(v any) (reflect.Value, bool) {
	list := reflect.ValueOf(v)
	return list, list.Kind() == reflect.Slice && list.Len() >= longList
}

func writeList(w http.ResponseWriter, list reflect.Value) error {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	out := bufio.NewWriterSize(w, listPart)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_, _ = out.WriteString(listStart) // an error stays in out
	for i := range list.Len() {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		if i%longList == 0 {
			_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
		}
		if err := enc.Encode(list.Index(i).Addr().Interface()); err != nil {
			return app.Errorf(app.CodeInternal, "cannot write the answer: %w", err)
		}
	}
	_, _ = out.WriteString(listEnd)
	return out.Flush()
}

// readList reads an array, in parts if it came in lines.
func readList[T any](body io.Reader) ([]T, error) {
	in := bufio.NewReaderSize(body, listPart)
	if start, err := in.Peek(len(listStart)); err != nil || string(start) != listStart {
		return readWhole[[]T](in)
	}
	_, _ = in.Discard(len(listStart))
	var d listDecoder[T]
	err := d.readLines(in)
	return d.wait(err)
}

func readWhole[T any](in io.Reader) (T, error) {
	var v T
	body, err := io.ReadAll(io.LimitReader(in, maxAnswer))
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, garbled(err)
	}
	return v, nil
}

// listDecoder decodes the parts of a list, as many at once as there are processors.
type listDecoder[T any] struct {
	wg    sync.WaitGroup
	parts []*listSlice[T]
}

type listSlice[T any] struct {
	items []T
	err   error
}

// readLines hands on whole lines in parts. The line that ends the list must come: without it the daemon died
// in the middle.
func (d *listDecoder[T]) readLines(in *bufio.Reader) error {
	gate := make(chan struct{}, runtime.GOMAXPROCS(0))
	part := make([]byte, 0, 2*listPart)
	for {
		line, err := readSlice(in)
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		last := string(line) == listEnd
		if !last {
			part = append(part, line...)
		}
		if len(part) > 0 && (last || len(part) >= listPart) {
			d.decode(part, gate)
			part = make([]byte, 0, 2*listPart)
		}
		if last {
			return nil
		}
	}
}

// readSlice returns the next line with its newline; it is valid until the next call.
func readSlice(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	head := bytes.Clone(line)
	rest, err := in.ReadBytes('\n')
	return append(head, rest...), err
}

func (d *listDecoder[T]) decode(part []byte, gate chan struct{}) {
	s := &listSlice[T]{}
	d.parts = append(d.parts, s)
	gate <- struct{}{}
	d.wg.Go(func() {
		defer func() { <-gate }()
		array := slices.Concat([]byte("["), bytes.TrimPrefix(part, []byte(",")), []byte("]"))
		s.err = json.Unmarshal(array, &s.items)
	})
}

// wait joins the parts.
func (d *listDecoder[T]) wait(err error) ([]T, error) {
	d.wg.Wait()
	if err != nil {
		return nil, err
	}
	var lists [][]T
	for _, s := range d.parts {
		if s.err != nil {
			return nil, garbled(s.err)
		}
		lists = append(lists, s.items)
	}
	return slices.Concat(lists...), nil
}
