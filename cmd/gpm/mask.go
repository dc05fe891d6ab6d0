package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"gpm/app"
)

// masked stands for a value that is nobody's business.
const masked = "********"

// maskAll returns details with the secrets of their environments hidden, unless reveal is set.
func maskAll(list []app.Detail, reveal bool) []app.Detail {
	if reveal {
		return list
	}
	out := slices.Clone(list)
	for i := range out {
		out[i].Spec.Env = maskEnv(out[i].Spec.Env)
		out[i].ProcEnv = maskEnv(out[i].ProcEnv)
	}
	return out
}

func maskEnv(env map[string]string) map[string]string {
	out := maps.Clone(env)
	for name, value := range out {
		out[name] = maskValue(name, value)
	}
	return out
}

// maskValue hides a value whose name says that it is a secret, and the password in an address.
func maskValue(name, value string) string {
	switch {
	case value == "":
		return value
	case isSecret(name):
		return masked
	case strings.Contains(value, "://"):
		return maskAddresses(value)
	}
	return value
}

// isSecret looks at the words of a name: API_KEY, githubToken, MYSQL_PWD. KEYBOARD and PWD are no secrets, and
// SSH_AUTH_SOCK is a path.
func isSecret(name string) bool {
	upper := strings.ToUpper(name)
	for _, part := range []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "ACCESSKEY", "PRIVATEKEY"} {
		if strings.Contains(upper, part) {
			return true
		}
	}
	if upper == "PWD" || upper == "OLDPWD" {
		return false
	}
	words := strings.FieldsFunc(upper, func(r rune) bool { return r == '_' || r == '-' || r == '.' })
	if slices.ContainsFunc(words, func(w string) bool { return w == "KEY" || w == "KEYS" || w == "PASS" || w == "PWD" || w == "COOKIE" }) {
		return true
	}
	last := words[max(0, len(words)-1):]
	return slices.Contains(last, "AUTH") || slices.Contains(last, "DSN")
}

// maskAddresses hides the password of scheme://user:password@host.
func maskAddresses(s string) string {
	return regexp.MustCompile(`(://[^/@:\s]*:)[^/@\s]+@`).ReplaceAllString(s, "${1}"+masked+"@")
}
