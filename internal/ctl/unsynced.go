package ctl

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

func (a *App) unsyncedCommand() *cli.Command {
	return &cli.Command{
		Name:      "unsynced-objects",
		Usage:     "list the objects that are not as on the primary, and why",
		ArgsUsage: "ORG",
		Description: `Each object on the list is tried again by itself, ever more rarely; sync-now tries
all at once. An object leaves the list when it is as on the primary.

   ` + program + ` unsynced-objects acme
   ` + program + ` unsynced-objects acme --output json | jq -r '.[].ref'

The exit code is 0 if there are none and 1 if there are some.`,
		Action: a.onPair(showUnsynced),
	}
}

func showUnsynced(ctx context.Context, k *call, p object.Pair) error {
	list := []workflows.Unsynced{}
	err := k.temporal.Query(ctx, p.WorkflowID(), workflows.QueryUnsynced, &list)
	switch {
	case errors.Is(err, ErrNoAnswer):
		return k.noAnswer(ctx, p)
	case err != nil && isNotRunning(err):
		return k.notRunning(p)
	case err != nil:
		return k.failed("query "+workflows.QueryUnsynced+" of "+p.WorkflowID(), err)
	}
	if list == nil {
		list = []workflows.Unsynced{}
	}
	if k.print.json {
		err = k.print.document(list)
	} else {
		k.print.unsynced(p, list)
	}
	if err == nil && len(list) > 0 {
		return errLook
	}
	return err
}

func (p *printer) unsynced(pair object.Pair, list []workflows.Unsynced) {
	if len(list) == 0 {
		fmt.Fprintf(p.out, "%s has no unsynced objects\n", cell(pair.String()))
		return
	}
	var cells [][]string
	for _, u := range list {
		next := p.in(moment(u.NextTry))
		if u.Waits {
			next = "after the writes"
		}
		cells = append(cells, []string{
			cell(u.Ref.String()), string(u.Action), strconv.Itoa(u.Attempts), next,
			stamp(u.FirstSeen), cell(u.Reason), orDash(cell(u.Hint)),
		})
	}
	p.rows([]string{"OBJECT", "ACTION", "TRIES", "NEXT TRY", "FIRST SEEN", "REASON", "HINT"}, cells)
}
