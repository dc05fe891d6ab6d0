package ipc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"testing"

	"gpm/app"
)

// Whatever comes instead of a stream is items or one error, and comes to an end.
func FuzzStream(f *testing.F) {
	for _, s := range []string{
		"", "\n\n\n", "{}\n", `{"total":3}` + "\n" + `{"error":{"code":"stuck","message":"m"}}` + "\n", `{"error":3}` + "\n",
		`{"status":{"state":"online","goal":"up"}}` + "\n", `{"status":`, "\x00\xff\n", "[[[[[[[[\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bufio.NewReader(bytes.NewReader(b))
		for {
			line, err := readLine(in)
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = decodeLine[app.Progress](line)
			if _, ok := errors.AsType[*app.Error](err); err != nil && !ok {
				t.Fatalf("error %T", err)
			}
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"action":"stop","selectors":["a"],"parallel":-1}`))
	f.Add([]byte(`{"selectors":[null,3]}`))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var req app.ActionRequest
		if err := decodeBody(b, &req); err != nil && !errors.Is(err, app.ErrInvalid) {
			t.Fatalf("error %v is not ErrInvalid", err)
		}
	})
}

// A query that was accepted means the same when it is sent on.
func FuzzQuery(f *testing.F) {
	f.Add("sel=a&sel=b&usage=1")
	f.Add("since=18446744073709551615&last=-1&follow=maybe")
	f.Add("%zz;=&=&&sel=")
	f.Fuzz(func(t *testing.T, raw string) {
		var list ListQuery
		check(t, raw, &list, func() url.Values { return list.values() }, func() fromQuery { return new(ListQuery) })
		var events EventQuery
		check(t, raw, &events, func() url.Values { return events.values() }, func() fromQuery { return new(EventQuery) })
		var history HistoryQuery
		check(t, raw, &history, func() url.Values { return history.values() }, func() fromQuery { return new(HistoryQuery) })
	})
}

func check(t *testing.T, raw string, q fromQuery, values func() url.Values, fresh func() fromQuery) {
	if err := q.fromQuery(&http.Request{URL: &url.URL{RawQuery: raw}}); err != nil {
		if !errors.Is(err, app.ErrInvalid) {
			t.Fatalf("error %v is not ErrInvalid", err)
		}
		return
	}
	again := fresh()
	if err := again.fromQuery(&http.Request{URL: &url.URL{RawQuery: values().Encode()}}); err != nil || !reflect.DeepEqual(q, again) {
		t.Fatalf("%q: %+v became %+v, %v", raw, q, again, err)
	}
}

// A list is what json.Unmarshal makes of it, in lines or not, or an error.
func FuzzList(f *testing.F) {
	f.Add([]byte("[\n{\"seq\":1}\n,{\"seq\":2}\n]\n"))
	f.Add([]byte("[\n]\n"))
	f.Add([]byte("[\n{\"seq\":1}\n"))
	f.Add([]byte("[]"))
	f.Add([]byte("[\n,\n]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readList[app.Event](bytes.NewReader(b))
		var want []app.Event
		if json.Unmarshal(b, &want) != nil {
			return // a list in lines may still be read; what matters is that nothing breaks
		}
		if err == nil && len(got) != len(want) {
			t.Fatalf("%q: %d items, want %d", b, len(got), len(want))
		}
	})
}
