package ecosystem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Schema returns the JSON Schema (draft 7) of an ecosystem file, for editors. It is made of the table that also reads
// the files, so the two cannot disagree on a name or a type.
func Schema() []byte {
	app := jsonObject{
		"type": "object", "properties": appProperties(),
		"patternProperties":    jsonObject{"^env_": jsonObject{"description": "Merged over env with --env NAME.", "$ref": "#/definitions/environment"}},
		"anyOf":                required("script"),
		"additionalProperties": jsonObject{"not": jsonObject{}, "description": "unknown key"},
	}
	app["patternProperties"].(jsonObject)["^(x-|_|\\$|\\.|//)"] = jsonObject{}
	apps := jsonObject{"anyOf": []any{
		jsonObject{"type": "array", "items": ref("app")},
		jsonObject{"type": "object", "additionalProperties": ref("app")},
		ref("app"),
	}}
	file := jsonObject{"type": "object", "properties": jsonObject{
		"apps": ref("apps"), "pm2": ref("apps"), "gpm": ref("apps"),
		"deploy": jsonObject{"type": "object", "additionalProperties": jsonObject{"type": "object"}, "description": "Environments of the deploy command."},
		"static": jsonObject{"type": "array", "items": jsonObject{"type": "object", "properties": staticProperties()}, "description": "Directories to serve."},
	}, "anyOf": []any{
		jsonObject{"required": []string{"apps"}}, jsonObject{"required": []string{"pm2"}}, jsonObject{"required": []string{"gpm"}},
		jsonObject{"required": []string{"deploy"}}, jsonObject{"required": []string{"static"}},
	}}
	return indented(jsonObject{
		"$schema": "http://json-schema.org/draft-07/schema#",
		"title":   "Ecosystem file of gpm",
		"anyOf":   []any{file, jsonObject{"type": "array", "items": ref("app")}, ref("app")},
		"definitions": jsonObject{
			"app": app, "apps": apps,
			"environment": json.RawMessage(schemas[Environment]),
			"condition":   json.RawMessage(`{"enum": ["started", "listening", "healthy", "completed", "service_started", "service_healthy", "service_completed_successfully"]}`),
			"hook":        json.RawMessage(hookSchema),
			"code":        json.RawMessage(`{"type": "integer", "minimum": 0, "maximum": 255}`),
		},
	})
}

// hookSchema is a command, a URL, an object with one of them, or a list of these.
const hookSchema = `{"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": false, "properties": {
	"run": {"type": ["string", "array"]}, "command": {"type": ["string", "array"]}, "exec": {"type": ["string", "array"]}, "url": {"type": "string"}, "webhook": {"type": "string"},
	"timeout": {"type": ["number", "string"]}, "retries": {"type": ["integer", "string"]}}}, {"type": "array", "items": {"$ref": "#/definitions/hook"}}]}`

// jsonObject is a JSON object; encoding/json sorts its keys, so the text is the same each time.
type jsonObject map[string]any

func ref(name string) jsonObject { return jsonObject{"$ref": "#/definitions/" + name} }

// required asks for a field under any of its names.
func required(field string) []any {
	var out []any
	for _, f := range Fields() {
		if f.Name == field {
			for _, s := range f.spellings() {
				out = append(out, jsonObject{"required": []string{s}})
			}
		}
	}
	return out
}

func appProperties() jsonObject {
	out := jsonObject{}
	for _, f := range Fields() {
		for i, spelling := range f.spellings() {
			p := f.property()
			if i > 0 {
				p["description"] = "The same as " + f.Name + "."
			}
			out[spelling] = p
		}
	}
	return out
}

func (f Field) property() jsonObject {
	var p jsonObject
	if err := json.Unmarshal([]byte(schemas[f.Type]), &p); err != nil {
		panic(err) // a mistake in the table, which the golden test runs through
	}
	if len(f.Parts) > 0 {
		parts := jsonObject{}
		for _, part := range f.Parts {
			for _, spelling := range part.spellings() {
				parts[spelling] = part.property()
			}
		}
		p = jsonObject{"anyOf": []any{p, jsonObject{"type": "object", "properties": parts, "additionalProperties": false}}}
	}
	p["description"] = f.Doc
	if f.Default != "" {
		p["description"] = f.Doc + " Default: " + f.Default + "."
	}
	if len(f.OneOf) > 0 {
		p = jsonObject{"enum": f.OneOf, "description": p["description"]}
	}
	if f.Low != 0 || f.High != 0 {
		bound(p, f.Low, f.High)
	}
	return p
}

// bound puts limits on the numbers of a property, wherever it takes one.
func bound(p jsonObject, low, high int) {
	parts, _ := p["anyOf"].([]any)
	for _, part := range parts {
		if m, ok := part.(map[string]any); ok && slices.Contains([]any{"integer", "number"}, m["type"]) {
			m["minimum"] = low
			if high != 0 {
				m["maximum"] = high
			}
		}
	}
}

func staticProperties() jsonObject {
	out := jsonObject{"basic_auth": jsonObject{"type": "object"}}
	for _, f := range staticFields() {
		out[f.name] = json.RawMessage(schemas[f.kind])
	}
	return out
}

func indented(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("cannot encode the schema: %v", err)) // maps of strings cannot fail
	}
	return out.Bytes()
}
