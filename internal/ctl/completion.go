package ctl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/doctor"
)

// completeWord is the command that the scripts of completion run. It stands in no
// help.
const completeWord = "__complete"

func (a *App) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that makes a shell complete commands, options and organizations",
		ArgsUsage: "bash|zsh|fish",
		Description: `Organizations are those of the configuration, which is read anew each time.

   ` + program + ` completion bash > /etc/bash_completion.d/` + program + `
   ` + program + ` completion zsh  > /usr/share/zsh/vendor-completions/_` + program + `
   ` + program + ` completion fish > ~/.config/fish/completions/` + program + `.fish
   source <(` + program + ` completion bash)     # for this shell alone`,
		Action: a.completion,
	}
}

// completions are the scripts by shell. Each runs the program as it was typed,
// with the words behind it up to the cursor, the last one perhaps empty, and takes
// a candidate from each line.
var completions = map[string]string{
	"bash": `# bash completion of ` + program + `
_chef_sync_ctl() {
    local IFS=$'\n'
    COMPREPLY=($("$1" ` + completeWord + ` "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _chef_sync_ctl ` + program + `
`,
	"zsh": `#compdef ` + program + `
_chef_sync_ctl() {
    local -a found
    found=("${(@f)$("${words[1]}" ` + completeWord + ` "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        compadd -- "${found[@]}"
    else
        _files
    fi
}
compdef _chef_sync_ctl ` + program + `
if [[ "${funcstack[1]}" == "_` + program + `" ]]; then
    _chef_sync_ctl # loaded by the first completion
fi
`,
	"fish": `# fish completion of ` + program + `
function __chef_sync_ctl
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    $words[1] ` + completeWord + ` $words[2..-1] "$current" 2>/dev/null
end
complete -c ` + program + ` -f -a '(__chef_sync_ctl)'
complete -c ` + program + ` -s c -l ` + flagConfig + ` -r -F
`,
}

// shells are those that there is a script for.
func shells() []string { return slices.Sorted(maps.Keys(completions)) }

func (a *App) completion(c *cli.Context) error {
	script, ok := completions[c.Args().First()]
	if !ok || c.NArg() != 1 {
		return unusable("completion", "completion takes one of %s", strings.Join(shells(), ", "))
	}
	_, err := fmt.Fprint(a.Stdout, script)
	return err
}

// complete prints what the last word may become, one candidate in each line. It
// reads nothing but the configuration, and says nothing of what is wrong.
func (a *App) complete(words []string) int {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, candidate := range a.candidates(words[:len(words)-1], last) {
		if strings.HasPrefix(candidate, last) {
			fmt.Fprintln(a.Stdout, candidate)
		}
	}
	return ExitOK
}

// candidates are the words that may follow others; last is the beginning of the
// next.
func (a *App) candidates(before []string, last string) []string {
	l := line{app: a.cli()}
	for rest := before; len(rest) > 0; {
		n := l.take(rest)
		if word := rest[len(rest)-1]; n == len(rest) && n == 1 && strings.HasPrefix(word, "-") && l.wants(word) {
			return a.values(l, strings.TrimLeft(word, "-"))
		}
		rest = rest[n:]
	}
	command := ""
	if l.command != nil {
		command = l.command[0]
	}
	known := l.app.Command(command)
	switch {
	case strings.HasPrefix(last, "-"):
		return flagWords(l.app, known)
	case command == "":
		return commandWords(l.app)
	case command == "help" && len(l.names) == 0:
		return commandWords(l.app)
	case command == "completion" && len(l.names) == 0:
		return shells()
	case known != nil && strings.Contains(known.ArgsUsage, "ORG") && len(l.names) == 0:
		return a.organizations(l)
	}
	return nil
}

// wants reports whether a flag takes a value that is not there yet.
func (l *line) wants(word string) bool {
	name, _, joined := strings.Cut(strings.TrimLeft(word, "-"), "=")
	_, f := l.place(name)
	_, bare := f.(*cli.BoolFlag)
	return f != nil && !bare && !joined
}

// values are what a flag can be set to; none for those that take anything.
func (a *App) values(l line, name string) []string {
	switch _, f := l.place(name); {
	case f == nil:
		return nil
	case f.Names()[0] == flagOutput:
		return []string{outputJSON, outputTable}
	case f.Names()[0] == flagOnly:
		return doctor.Names()
	}
	return nil
}

// commandWords are the names of all commands.
func commandWords(app *cli.App) []string {
	var out []string
	for _, c := range app.Commands {
		if !c.Hidden {
			out = append(out, c.Name)
		}
	}
	return append(out, "help")
}

// flagWords are the long names of the flags of a command, and of those for every
// command.
func flagWords(app *cli.App, command *cli.Command) []string {
	flags := slices.Clone(app.Flags)
	if command != nil {
		flags = append(slices.Clone(command.Flags), flags...)
	}
	var out []string
	for _, f := range flags {
		if name := "--" + f.Names()[0]; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if !slices.Contains(out, "--help") {
		out = append(out, "--help")
	}
	return out
}

// organizations are those that a command can name.
func (a *App) organizations(l line) []string {
	var f settingsFlags
	for i, word := range l.globals {
		name, value, joined := strings.Cut(strings.TrimLeft(word, "-"), "=")
		flag := findFlag(l.app.Flags, name)
		if flag == nil || flag.Names()[0] != flagConfig {
			continue
		}
		if f.file = value; !joined && i+1 < len(l.globals) {
			f.file = l.globals[i+1]
		}
	}
	set, err := a.settings(f)
	if err != nil {
		return nil
	}
	var out []string
	for _, p := range set.cfg.Pairs {
		out = append(out, p.Destination)
	}
	return out
}
