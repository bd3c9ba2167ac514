package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// The flags of diff.
const (
	flagFiles      = "files"
	flagNamesOnly  = "names-only"
	flagShowValues = "show-values"
)

func (a *App) diffCommand() *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "show where the two servers differ, and change nothing",
		ArgsUsage: "ORG [GLOB …]",
		Description: `Reads every object of an organization on both servers and shows which are not
equal, and in what. It needs neither Temporal nor a running ec-syncd.

   ` + program + ` diff acme
   ` + program + ` diff acme /roles/web            # one object
   ` + program + ` diff acme '/data/users' '/cookbooks/*/1.*'
   ` + program + ` diff acme --names-only
   ` + program + ` diff acme --files               # reads cookbook files, too
   ` + program + ` diff acme --output json | jq -r '.differences[]?.ref'

A difference looks like this:

   ~ /roles/web  different
       /run_list/0: primary "recipe[nginx]" -> replica "recipe[apache]"
       /description: primary "web servers" -> replica (none)
   + /roles/new  missing on the replica
   - /roles/old  only on the replica (kept)
   ! /cookbooks/web/1.0.0  equal, and a file is lost or damaged (with --files)
   ? /roles/db  could not be read on one of the servers

What servers spell differently and mean alike is no difference. Of cookbooks the
MD5 of each file is compared as the servers print it; --files reads the files.

Values in data bag items and nodes may be secret. They are shown as a digest: two
that differ have two digests. --show-values shows them.

A GLOB is a path whose names may have * and ?; a shorter one covers all below it.

While the comparison runs, others may change the primary, and ec-syncd the
replica: such changes show as differences. Look again, at those objects alone.

The exit code is 0 if all that both servers can hold is equal, 1 if something
differs, 2 if that could not be told: nothing is known to differ and something
could not be read, a server does not answer, or the command line or the
configuration is wrong.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagFiles, DisableDefaultText: true, Usage: "read the files of cookbooks on both servers and check their MD5"},
			&cli.BoolFlag{Name: flagNamesOnly, DisableDefaultText: true, Usage: "print one line for each object that differs, and nothing else"},
			&cli.BoolFlag{Name: flagShowValues, DisableDefaultText: true, Usage: "show values that may be secret"},
		},
		Action: func(c *cli.Context) error { return couldNotTell(a.diff(c)) },
	}
}

// couldNotTell gives every error of a comparison its one exit code.
func couldNotTell(err error) error {
	var f *failure
	switch {
	case err == nil || errors.Is(err, errLook):
		return err
	case errors.As(err, &f):
		return &failure{code: ExitUnknown, err: f.err, hint: f.hint}
	case errors.Is(err, context.Canceled):
		return fail(ExitUnknown, "", "interrupted")
	default:
		return fail(ExitUnknown, "", "%w", err)
	}
}

func (a *App) diff(c *cli.Context) error {
	if !c.Args().Present() {
		return unusable("diff", "diff takes the name of an organization")
	}
	k, _, err := a.begin(c)
	if err != nil {
		return err
	}
	d, err := k.compare(c.Context, c.Args().First(), compareOptions{
		globs: c.Args().Tail(), files: c.Bool(flagFiles), values: c.Bool(flagShowValues), namesOnly: c.Bool(flagNamesOnly),
	})
	if err != nil {
		return err
	}
	switch {
	case k.print.json:
		err = k.print.document(d)
	case c.Bool(flagNamesOnly):
		k.print.names(d)
	default:
		k.print.diff(d)
	}
	if err != nil {
		return err
	}
	return d.outcome()
}

// Diff is what a comparison found, as JSON.
type Diff struct {
	Organization string `json:"organization"` // the destination
	Source       string `json:"source"`

	// Primary and Replica are the URLs of the two organizations.
	Primary string `json:"primary"`
	Replica string `json:"replica"`

	// Equal says that everything was compared and nothing differs; Unknown counts
	// what could not be compared.
	Equal   bool `json:"equal"`
	Unknown int  `json:"unknown"`

	replicate.Comparison

	// PrimaryLacks and ReplicaLacks are kinds that the pair wants to replicate and
	// a server cannot hold.
	PrimaryLacks []object.Kind `json:"primary_lacks,omitempty"`
	ReplicaLacks []object.Kind `json:"replica_lacks,omitempty"`

	partly, deletes bool // only some objects were looked at; extras are deleted
}

// outcome is the exit code of a comparison.
func (d *Diff) outcome() error {
	switch {
	case len(d.Differences) > d.Unknown: // whatever the others are, the two are not equal
		return errLook
	case d.Unknown > 0:
		return fail(ExitUnknown, "", "%s could not be read", count(d.Unknown, "object"))
	default:
		return nil
	}
}

// count prints a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
