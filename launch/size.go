package launch

import (
	"strings"

	"gpm/app"
)

// checkArgs refuses what execve(2) would refuse with no word about which limit was met.
func checkArgs(argv, env []string) error {
	one, total := argLimits()
	sum := 0
	for _, list := range [][]string{argv, env} {
		for _, s := range list {
			if len(s) >= one {
				return tooLarge(s, one)
			}
			sum += len(s) + 1 + 8 // its zero byte, and the pointer to it
		}
	}
	if sum > total {
		return app.Errorf(app.CodeInvalid, "its arguments and environment take %d KiB, and the system allows %d KiB", sum>>10, total>>10).
			WithHint("pass large data in a file")
	}
	for _, s := range argv {
		if strings.Contains(s, "\x00") {
			return app.Errorf(app.CodeInvalid, "an argument holds a zero byte")
		}
	}
	return nil
}

func tooLarge(s string, limit int) error {
	return app.Errorf(app.CodeInvalid, "the argument or variable %.20q… takes %d KiB, and the system allows %d KiB for one", s, len(s)>>10, limit>>10).
		WithHint("pass large data in a file")
}
