package launch

import (
	"maps"
	"math"
	"slices"
	"strings"

	"gpm/app"
	"gpm/master"
)

// rlimits turns names and values into what setrlimit(2) takes, in the order of the names.
func rlimits(limits map[string]string) ([]master.Rlimit, error) {
	var out []master.Rlimit
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		resource, ok := rlimitResource(strings.TrimPrefix(strings.ToLower(name), "rlimit_"))
		if !ok {
			return nil, app.Errorf(app.CodeInvalid, "there is no resource limit %q on this system", name).
				WithHint("limits are as, core, cpu, data, fsize, memlock, nofile, nproc, rss, stack, where the system has them")
		}
		soft, hard, err := parseLimit(limits[name])
		if err != nil {
			return nil, app.Errorf(app.CodeInvalid, "resource limit %q: %w", name, err).
				WithHint(`a limit is like "4096", "1024:4096", "512M" or "unlimited"`)
		}
		out = append(out, master.Rlimit{Resource: resource, Soft: soft, Hard: hard})
	}
	return out, nil
}

// parseLimit reads "n" for both limits or "soft:hard"; each may be "unlimited".
func parseLimit(s string) (soft, hard uint64, err error) {
	first, second, two := strings.Cut(s, ":")
	if soft, err = parseLimitValue(first); err != nil || !two {
		return soft, soft, err
	}
	if hard, err = parseLimitValue(second); err != nil {
		return 0, 0, err
	}
	if soft > hard {
		return 0, 0, app.Errorf(app.CodeInvalid, "the soft limit %s is above the hard limit %s", first, second)
	}
	return soft, hard, nil
}

func parseLimitValue(s string) (uint64, error) {
	if s == "unlimited" || s == "infinity" {
		return math.MaxUint64, nil
	}
	n, err := ParseBytes(s)
	return uint64(n), err
}
