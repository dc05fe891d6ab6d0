package app

import (
	"reflect"
	"slices"
	"strings"
)

// Merge returns base with the fields named in set taken from over. Env is merged
// variable by variable, as a restart with a new environment means it.
func Merge(base, over Spec, set Fields) Spec {
	out, over := base.Clone(), over.Clone()
	env, kept := out.Env, out.EnvOver
	mergeFields(reflect.ValueOf(&out).Elem(), reflect.ValueOf(over), set, "")
	if set["env"] {
		out.Env = mergeEnv(env, over.Env)
		out.EnvOver = slices.Compact(slices.Sorted(slices.Values(append(kept, over.EnvOver...))))
	}
	if set["policy.backoff_first"] && out.Policy.BackoffFirst > 0 {
		out.Policy.RestartDelay = 0 // of the two the growing one counts, as for pm2
	}
	return out
}

// objects are the fields of a Spec whose parts are set one by one.
var objects = []string{"policy", "log_rotate", "log", "health", "schedule", "limits"}

func mergeFields(dst, src reflect.Value, set Fields, prefix string) {
	for i := range dst.NumField() {
		name, _, _ := strings.Cut(dst.Type().Field(i).Tag.Get("json"), ",")
		if slices.Contains(objects, name) {
			mergeFields(dst.Field(i), src.Field(i), set, name+".")
		} else if set[prefix+name] {
			dst.Field(i).Set(src.Field(i))
		}
	}
}

func mergeEnv(base, over map[string]string) map[string]string {
	out := make(map[string]string, len(base)+len(over))
	for _, m := range []map[string]string{base, over} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}
