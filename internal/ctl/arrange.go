package ctl

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts a command line into the one order that the library reads: global
// flags, command, its flags, names. Operators write them in any order.
func arrange(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return []string{program}
	}
	l := line{app: app}
	for rest := args[1:]; len(rest) > 0; {
		if rest[0] == "--" {
			l.names = append(l.names, rest[1:]...)
			break
		}
		rest = rest[l.take(rest):]
	}
	if l.command != nil && (slices.Contains(l.locals, "--help") || slices.Contains(l.locals, "-h")) {
		l.names = nil // the library would take them for topics
	}
	return slices.Concat(args[:1], l.globals, l.command, l.locals, l.terminator(), l.names)
}

// line is a command line, sorted.
type line struct {
	app                             *cli.App
	globals, command, locals, names []string
}

// take sorts the first of args, with its value if it is a flag with one, and
// returns how many that were.
func (l *line) take(args []string) int {
	word := args[0]
	if !strings.HasPrefix(word, "-") || word == "-" {
		if l.command == nil {
			l.command = []string{word}
		} else {
			l.names = append(l.names, word)
		}
		return 1
	}
	name, _, joined := strings.Cut(strings.TrimLeft(word, "-"), "=")
	to, flag := l.place(name)
	n := 1
	if _, bare := flag.(*cli.BoolFlag); flag != nil && !bare && !joined && len(args) > 1 {
		n = 2
	}
	*to = append(*to, args[:n]...)
	return n
}

// place returns where a flag belongs. An unknown one, and --help, belongs to the
// command if there is one, which then reports it.
func (l *line) place(name string) (to *[]string, flag cli.Flag) {
	if l.command != nil {
		if c := l.app.Command(l.command[0]); c != nil {
			if f := findFlag(c.Flags, name); f != nil {
				return &l.locals, f
			}
		}
	}
	if f := findFlag(l.app.Flags, name); f != nil {
		return &l.globals, f
	}
	if l.command != nil {
		return &l.locals, nil
	}
	return &l.globals, nil
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

// terminator keeps names that look like flags from being read as such.
func (l *line) terminator() []string {
	if slices.ContainsFunc(l.names, func(n string) bool { return strings.HasPrefix(n, "-") }) {
		return []string{"--"}
	}
	return nil
}
