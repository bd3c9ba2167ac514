package ctl

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// given are the global options of a command line that say which pairs it means, as
// name and value.
type given [][2]string

func givenIn(c *cli.Context) given {
	var g given
	for _, name := range []string{flagConfig, flagReplica, flagAddress, flagNamespace} {
		if value := c.String(name); value != "" {
			g = append(g, [2]string{name, value})
		}
	}
	return g
}

// on has commands of ours for this host mean the same pairs as the command line, so
// that they can be pasted. Lines hold one command each. One that names a place for
// another configuration, or for what stands in for one, is complete.
func (g given) on(lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		sudo, plain := "", line
		if strings.HasPrefix(line, "sudo ") {
			sudo, plain = "sudo ", strings.TrimPrefix(line, "sudo ")
		}
		rest, ours := strings.CutPrefix(plain, program+" ")
		if ours && !strings.Contains(rest, "--"+flagAddress+" HOST:PORT --"+flagReplica) && !strings.Contains(rest, "--"+flagConfig+" FILE") {
			line = sudo + program + " " + g.missing(rest) + rest
		}
		b.WriteString(line)
	}
	return b.String()
}

// missing are the options that a command does not have itself.
func (g given) missing(command string) string {
	out := ""
	for _, o := range g {
		if !strings.Contains(" "+command, " --"+o[0]+" ") {
			out += "--" + o[0] + " " + quoted(o[1]) + " "
		}
	}
	return out
}

// quoted is a word for a shell.
func quoted(word string) string {
	if strings.ContainsAny(word, " \t\"'$&;()|<>*?#\\`[]{}~!") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
