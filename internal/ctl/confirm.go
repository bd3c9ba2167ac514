package ctl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
)

const flagYes = "yes"

func yesFlag() cli.Flag {
	return &cli.BoolFlag{Name: flagYes, DisableDefaultText: true, Aliases: []string{"y"}, Usage: "do not ask"}
}

// confirm returns nil if the operator agrees: by --yes, or by a word on a
// terminal. Without either nothing may be done.
func (k *call) confirm(question string, p object.Pair) error {
	if k.flags.Bool(flagYes) {
		return nil
	}
	again := fmt.Sprintf("%s %s %s --yes", program, k.command, p.Destination)
	if !k.app.Terminal.In {
		return fail(ExitUsage, again, "%s asks first, and there is no terminal to ask on; nothing was done", k.command)
	}
	fmt.Fprintf(k.print.err, "%s [y/N] ", question)
	word, err := bufio.NewReader(k.app.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fail(ExitNotDone, again, "read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "y", "yes":
		return nil
	default:
		return fail(ExitNotDone, "", "%s: you did not say yes; nothing was done", k.command)
	}
}
