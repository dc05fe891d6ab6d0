package app

import (
	"regexp"
	"strconv"
	"strings"
)

// Select returns the indexes in list that a selector names: an id, a name, a namespace, "all",
// or "/regex/" on names. As pm2, a number is tried as a name, then as a namespace, then as an id; a
// path is compared with the scripts.
func Select(sel string, list []Status, scripts []string) ([]int, error) {
	if sel == "all" {
		return indexes(list, func(Status) bool { return true }), nil
	}
	if len(sel) > 1 && strings.HasPrefix(sel, "/") && strings.HasSuffix(sel, "/") {
		return selectRegexp(sel, list)
	}
	found := indexes(list, func(s Status) bool { return s.Name == sel })
	for i, script := range scripts {
		if script == sel && list[i].Name != sel {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		found = indexes(list, func(s Status) bool { return s.Namespace == sel })
	}
	if id, err := strconv.Atoi(sel); len(found) == 0 && err == nil {
		found = indexes(list, func(s Status) bool { return s.ID == id })
	}
	if len(found) == 0 {
		return nil, Errorf(CodeNotFound, "cannot find process or namespace %q", sel).
			WithHint("gpm list shows what there is")
	}
	return found, nil
}

func selectRegexp(sel string, list []Status) ([]int, error) {
	re, err := regexp.Compile(strings.Trim(sel, "/"))
	if err != nil {
		return nil, Errorf(CodeInvalid, "cannot use selector %q: %w", sel, err).
			WithHint("a regular expression stands between slashes, as in /^web-/")
	}
	found := indexes(list, func(s Status) bool { return re.MatchString(s.Name) })
	if len(found) == 0 {
		return nil, Errorf(CodeNotFound, "cannot find a process whose name matches %s", sel).
			WithHint("gpm list shows what there is")
	}
	return found, nil
}

func indexes(list []Status, ok func(Status) bool) []int {
	var out []int
	for i, s := range list {
		if ok(s) {
			out = append(out, i)
		}
	}
	return out
}
