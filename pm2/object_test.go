package pm2

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestEncodeIsJSON: whatever the values, they are written as encoding/json writes them.
func TestEncodeIsJSON(t *testing.T) {
	value := rapid.OneOf(
		rapid.String().AsAny(), rapid.StringMatching(`[ -~]*`).AsAny(), rapid.Int().AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(), rapid.Float64Range(-1e30, 1e30).AsAny(),
		rapid.SliceOf(rapid.String()).AsAny(), rapid.SampledFrom([]any{nil, (*Object)(nil), []*Object(nil), []*Object{}, &Object{}, json.Number("1.50")}),
	)
	rapid.Check(t, func(t *rapid.T) {
		inner, outer := &Object{}, &Object{}
		var members []any
		for _, v := range rapid.SliceOf(value).Draw(t, "values") {
			key := rapid.String().Draw(t, "key")
			if _, ok := inner.Get(key); !ok {
				members = append(members, key, v)
			}
			inner.SetNew(key, v)
		}
		outer.Set("list", []*Object{inner, nil, {}})
		outer.Set("one", inner)
		got, err := Encode([]*Object{outer})
		if err != nil {
			t.Fatal(err)
		}
		object := plainJSON(t, members)
		want := `[{"list":[` + object + `,null,{}],"one":` + object + `}]`
		if string(got) != want {
			t.Fatalf("got %s\nwant %s", got, want)
		}
		if again, err := json.Marshal(outer); err != nil || !json.Valid(again) {
			t.Fatalf("in json.Marshal: %s, %v", again, err)
		}
	})
}

// plainJSON writes an object of keys and values with encoding/json alone.
func plainJSON(t *rapid.T, members []any) string {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, v := range members {
		if i > 0 {
			out.WriteByte(",:"[i%2])
		}
		if o, ok := v.(*Object); ok && o != nil {
			out.WriteString("{}")
			continue
		}
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		out.Truncate(out.Len() - 1)
	}
	out.WriteByte('}')
	return out.String()
}
