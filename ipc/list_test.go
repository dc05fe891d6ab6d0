package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"gpm/app"
)

func TestLongLists(t *testing.T) {
	for _, n := range []int{0, 1, longList - 1, longList, longList + 1, 5000} {
		list := manyStatuses(n)
		for i := range list { // a wall clock reading has no monotonic part on the other side
			list[i].Created, list[i].Since, list[i].Exit.At = list[i].Created.Round(0).UTC(), list[i].Since.Round(0).UTC(), list[i].Exit.At.Round(0).UTC()
		}
		list = append(list, app.Status{Name: "line\nbreak " + strings.Repeat("long ", 50000)})
		home := serve(t, []Route{{"GET /v1/processes", Handle(func(context.Context, ListQuery) ([]app.Status, error) { return list, nil })}})
		got, err := client(t, home).Processes(t.Context(), ListQuery{})
		if err != nil || !reflect.DeepEqual(got, list) {
			t.Errorf("%d: %d statuses, %v", n, len(got), err)
		}
	}
}

// Whoever reads it without knowing about lines finds an ordinary array.
func TestLongListIsAnArray(t *testing.T) {
	list := manyStatuses(1000)
	home := serve(t, []Route{{"GET /v1/processes", Handle(func(context.Context, ListQuery) ([]app.Status, error) { return list, nil })}})
	resp, err := client(t, home).http.Get("http://gpm/v1/processes")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []app.Status
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || len(got) != 1000 || got[999].Name != "service-999" {
		t.Errorf("%d statuses, %v", len(got), err)
	}
}

func TestListCutShort(t *testing.T) {
	for _, body := range []string{"[\n{\"id\":1}\n", "[\n", "[\n{\"id\":1}\n,{\"id\""} {
		if _, err := readList[app.Status](strings.NewReader(body)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v, want unexpected EOF", body, err)
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, "[\n{\"id\":1}\n")
		return err
	}
	_, err := client(t, serve(t, []Route{{"GET /v1/processes", cut}})).Processes(t.Context(), ListQuery{})
	wantCode(t, err, app.CodeInternal)
}
