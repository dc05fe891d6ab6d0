package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The options of pm2. There each belongs to every command and may stand before it; here a command that has no use for one
// takes it all the same. Shorthands follow the slash.
func theirSwitches() []string {
	return []string{
		"mini-list/m", "time", "disable-logs", "update-env/a", "force/f", "shutdown-with-message", "execute-command/x", "wait-ip", "write/w", "no-daemon",
		"source-map-support", "disable-source-map-support", "wait-ready", "merge-logs", "watch", "no-vizion", "no-autostart", "no-autorestart", "no-treekill",
		"no-pmx", "no-automation", "trace", "disable-trace", "attach", "v8", "event-loop-inspector", "deep-monitoring",
		"fresh", "dist",
	}
}

func theirValues() []string {
	return []string{
		"ext", "name/n", "interpreter", "interpreter-args", "node-args", "output/o", "error/e", "log/l", "filter-env", "log-type", "log-date-format", "env",
		"instances/i", "parallel", "pid/p", "kill-timeout/k", "listen-timeout", "max-memory-restart", "restart-delay", "exp-backoff-restart-delay",
		"max-restarts", "user/u", "uid", "gid", "namespace", "cwd", "service-name", "cron-restart/c", "cron", "only", "ignore-watch", "watch-delay",
		"stop-exit-codes", "sort", "image-name", "node-version",
	}
}

// asTheyType turns a command line that pm2 understands into one that cobra does: the command first, its options known
// to it, and their optional values joined to them.
func (c *cli) asTheyType(root *cobra.Command, args []string) []string {
	args = commandFirst(root, args)
	if len(args) == 0 {
		return args
	}
	cmd := childNamed(root, args[0])
	if cmd == nil || cmd.HasSubCommands() || cmd.DisableFlagParsing {
		return args
	}
	if c.role == asPM2 {
		c.dropExcess(cmd)
	}
	flags := func(name, short string) *pflag.Flag { return flagOf(cmd, name, short) }
	for _, name := range optionNames(args[1:], flags) {
		c.addTheirs(cmd, name)
	}
	return append(args[:1:1], joinValues(args[1:], flags)...)
}

// lookup finds an option by its name or, when that is empty, by its shorthand; nil is an unknown one.
type lookup func(name, short string) *pflag.Flag

func flagOf(cmd *cobra.Command, name, short string) *pflag.Flag {
	for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.Root().PersistentFlags()} {
		f := set.Lookup(name)
		if name == "" {
			f = set.ShorthandLookup(short)
		}
		if f != nil {
			return f
		}
	}
	return nil
}

func childNamed(root *cobra.Command, name string) *cobra.Command {
	at := slices.IndexFunc(root.Commands(), func(cmd *cobra.Command) bool { return cmd.Name() == name || cmd.HasAlias(name) })
	if at < 0 {
		return nil
	}
	return root.Commands()[at]
}

// commandFirst moves the command of "-f start app.js" to the front: the first word that is one, and no option's value.
func commandFirst(root *cobra.Command, args []string) []string {
	if len(args) == 0 || !isOption(args[0]) {
		return args
	}
	for i, word := range args {
		if word == "--" {
			break
		}
		if cmd := childNamed(root, word); cmd != nil && !takesNext(args[i-1], theirLookup(cmd)) { // args[0] is none
			return slices.Concat([]string{word}, args[:i], args[i+1:])
		}
		if !isOption(word) && !isOption(args[i-1]) {
			break // it stands where the command does, and is none
		}
	}
	return args
}

// theirLookup knows the options of a command and pm2's.
func theirLookup(cmd *cobra.Command) lookup {
	return func(name, short string) *pflag.Flag {
		if f := flagOf(cmd, name, short); f != nil {
			return f
		}
		return theirFlag(name, short)
	}
}

// theirFlag makes an option of pm2 that changes nothing.
func theirFlag(name, short string) *pflag.Flag {
	for i, list := range [][]string{theirSwitches(), theirValues()} {
		for _, words := range list {
			long, letter, _ := strings.Cut(words, "/")
			if long != name && (short == "" || letter != short) {
				continue
			}
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			if i == 0 {
				set.BoolP(long, letter, false, "")
			} else {
				set.StringP(long, letter, "", "")
			}
			f := set.Lookup(long)
			f.Hidden = true
			return f
		}
	}
	return nil
}

// addTheirs has a command take an option of pm2's that it does not know. How a list looks counts wherever one is shown, and
// the user of startup is for an app the one to run as.
func (c *cli) addTheirs(cmd *cobra.Command, word string) {
	name, short := optionName(word)
	if flagOf(cmd, name, short) != nil {
		return
	}
	f := theirFlag(name, short)
	if f == nil {
		return
	}
	if f.Shorthand != "" && flagOf(cmd, "", f.Shorthand) != nil {
		f.Shorthand = "" // it has a meaning of its own here
	}
	uid := cmd.Flags().Lookup("uid")
	switch {
	case f.Name == "sort":
		cmd.Flags().Func(f.Name, "", func(by string) error {
			if _, err := parseOrder(by); err != nil {
				return errors.New("no such field, or neither asc nor desc")
			}
			c.listing.sort = by
			return nil
		})
	case f.Name == "mini-list":
		cmd.Flags().BoolVarP(&c.listing.mini, f.Name, f.Shorthand, false, "")
	case f.Name == "user" && uid != nil:
		f.Value = uid.Value
		cmd.Flags().AddFlag(f)
	default:
		cmd.Flags().AddFlag(f)
	}
}

// optionName splits -x or --name=value into what lookup wants.
func optionName(word string) (name, short string) {
	if long, ok := strings.CutPrefix(word, "--"); ok {
		name, _, _ = strings.Cut(long, "=")
		return name, ""
	}
	return "", word[1:2]
}

func isOption(word string) bool { return len(word) > 1 && word[0] == '-' }

// takesNext says that an option's value is the word after it.
func takesNext(word string, find lookup) bool {
	if !isOption(word) || strings.Contains(word, "=") {
		return false
	}
	if strings.HasPrefix(word, "--") {
		f := find(word[2:], "")
		return f != nil && f.NoOptDefVal == ""
	}
	for i := range len(word) - 1 {
		if f := find("", word[i+1:i+2]); f == nil || f.NoOptDefVal == "" {
			return f != nil && i == len(word)-2 // else the rest of the word is its value
		}
	}
	return false
}

// optionNames returns the options of a line as they are written, -abc as -a, -b and -c.
func optionNames(args []string, find lookup) []string {
	var names []string
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		word := args[i]
		if !isOption(word) {
			continue
		}
		if strings.HasPrefix(word, "--") {
			names = append(names, word)
		} else {
			for at := range len(word) - 1 { // shorthands are bytes
				letter := word[at+1 : at+2]
				names = append(names, "-"+letter)
				if f := find("", letter); f != nil && f.NoOptDefVal == "" {
					break
				}
			}
		}
		if takesNext(word, find) {
			i++
		}
	}
	return names
}

// withoutValue is what an option whose value may be left out means then; "" that it changes nothing.
func withoutValue(find lookup) map[*pflag.Flag]string {
	out := map[*pflag.Flag]string{}
	for name, value := range map[string]string{"watch": "true", "log": "true", "filter-env": ""} {
		if f := find(name, ""); f != nil && f.Value.Type() != "bool" {
			out[f] = value
		}
	}
	return out
}

// joinValues writes --watch src as --watch=src. The word after such an option is its value, as for pm2, unless it is the only
// one that can be what the command is about: gpm start --watch app.js.
func joinValues(args []string, find lookup) []string {
	optional := withoutValue(find)
	flag := func(word string) *pflag.Flag {
		if !isOption(word) || word[1] != '-' && len(word) > 2 {
			return nil
		}
		return find(optionName(word))
	}
	operands := 0
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		if isOption(args[i]) {
			if _, may := optional[flag(args[i])]; !may && takesNext(args[i], find) {
				i++
			}
			continue
		}
		operands++
	}
	var out []string
	for i := 0; i < len(args); i++ {
		word := args[i]
		if word == "--" {
			return append(out, args[i:]...)
		}
		value, may := optional[flag(word)]
		switch next := i+1 < len(args) && !isOption(args[i+1]); {
		case !may || strings.Contains(word, "="):
			out = append(out, word)
			if takesNext(word, find) && i+1 < len(args) {
				i++
				out = append(out, args[i])
			}
		case next && operands > 1:
			operands--
			i++
			out = append(out, word+"="+args[i])
		case value != "":
			out = append(out, word+"="+value)
		}
	}
	return out
}

// dropExcess has a command leave out the arguments that are too many, as pm2 does, and say so.
func (c *cli) dropExcess(cmd *cobra.Command) {
	check, run := cmd.Args, cmd.RunE
	if check == nil || run == nil {
		return
	}
	fitting := func(cmd *cobra.Command, args []string) int {
		n := len(args)
		for n > 0 && check(cmd, args[:n]) != nil {
			n--
		}
		return n
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error { return check(cmd, args[:fitting(cmd, args)]) }
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n := fitting(cmd, args)
		if n < len(args) {
			c.warn("ignored: %s", strings.Join(args[n:], " "))
		}
		return run(cmd, args[:n])
	}
}
