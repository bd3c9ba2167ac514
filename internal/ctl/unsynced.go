package ctl

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/workflows"
)

// flagDeep is of unsynced-objects.
const flagDeep = "deep"

func (a *App) unsyncedCommand() *cli.Command {
	return &cli.Command{
		Name:      "unsynced-objects",
		Usage:     "list the objects that are not as on the primary, and why",
		ArgsUsage: "ORG",
		Description: `Lists apart what was tried and failed, and what is pending: deletes that wait
until the writes that came with them are done. Each object is tried again by
itself, ever more rarely; sync-now tries all at once. An object leaves the list
when it is as on the primary. What a halted pair asks to delete is not on it:
approve-deletes shows that.

   ` + program + ` unsynced-objects acme
   ` + program + ` unsynced-objects acme --output json | jq -r '.failed[].ref'
   ` + program + ` unsynced-objects acme --deep

--deep also compares both servers now, as ` + program + ` diff does, and
lists what differs: what nobody has noticed yet, what only the replica has, and
changes that are on their way. In JSON "differ" is null without it.

The exit code is 0 if there are none, 1 if there are some, or if the pair is halted or
waiting, and 4 if it does not run and left none.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagDeep, DisableDefaultText: true, Usage: "also compare both servers, and list what differs now"},
		},
		Action: a.onPair(showUnsynced),
	}
}

// unsyncedLists are the lists of unsynced-objects, as JSON.
type unsyncedLists struct {
	Failed  []workflows.Unsynced `json:"failed"`  // tried, and not done
	Pending []workflows.Unsynced `json:"pending"` // deletes that wait

	// Differ are objects that are not equal now; nil = nobody looked.
	Differ []replicate.Difference `json:"differ"`
}

func (l unsyncedLists) empty() bool { return len(l.Failed)+len(l.Pending)+len(l.Differ) == 0 }

func showUnsynced(ctx context.Context, k *call, p object.Pair) error {
	list := []workflows.Unsynced{}
	e, err := k.temporal.Describe(ctx, p.WorkflowID())
	if err != nil && !isNotRunning(err) {
		return k.failed("look for "+p.WorkflowID(), err)
	}
	err = k.temporal.Query(ctx, p.WorkflowID(), workflows.QueryUnsynced, &list)
	switch {
	case errors.Is(err, ErrNoAnswer):
		return k.noAnswer(ctx, p)
	case err != nil && isNotRunning(err):
		return k.notRunning(p)
	case err != nil:
		return k.failed("query "+workflows.QueryUnsynced+" of "+p.WorkflowID(), err)
	case !e.Running() && len(list) == 0: // which says nothing of today
		return k.notRunning(p)
	case !e.Running():
		k.print.warn("", "%s does not run (%s): this is what was left when it ended", p, endedState(e.Status))
	}
	lists := unsyncedLists{Failed: []workflows.Unsynced{}, Pending: []workflows.Unsynced{}}
	for _, u := range list {
		if u.Waits {
			lists.Pending = append(lists.Pending, u)
		} else {
			lists.Failed = append(lists.Failed, u)
		}
	}
	held := k.sayHeld(ctx, e, p)
	var d *Diff
	if k.flags.Bool(flagDeep) {
		if d, err = k.compare(ctx, p.Destination, compareOptions{namesOnly: true}); err != nil {
			return err
		}
		lists.Differ = append([]replicate.Difference{}, d.Differences...)
	}
	if k.print.json {
		err = k.print.document(lists)
	} else {
		k.print.unsynced(p, lists, d)
	}
	if err == nil && (held || !lists.empty()) {
		return errLook
	}
	return err
}

// sayHeld warns that a pair copies nothing until somebody has done something, and
// reports whether that is so: what it asks to delete, and what it has not come to yet,
// is on no list. Without an answer it says nothing.
func (k *call) sayHeld(ctx context.Context, e Execution, p object.Pair) bool {
	if !e.Running() {
		return false
	}
	s, err := k.status(ctx, p)
	if err != nil {
		return false
	}
	r := facts{pair: p, configured: k.configured(p), execution: &e, status: s, now: k.app.Now()}.row()
	switch {
	case r.State == string(workflows.ModeHalted):
		k.print.warn(r.Hint, "%s is halted, and asks first: %s", p, r.Reason)
	case r.State == string(workflows.ModeWaiting) && !r.rests():
		k.print.warn(r.Hint, "%s is waiting, and copies nothing: %s", p, r.Reason)
	default:
		return false
	}
	return true
}

// unsynced prints the lists; d is what --deep found, nil without it.
func (p *printer) unsynced(pair object.Pair, l unsyncedLists, d *Diff) {
	if len(l.Failed)+len(l.Pending) == 0 {
		fmt.Fprintf(p.out, "%s has no unsynced objects\n", cell(pair.String()))
	}
	if len(l.Failed) > 0 {
		fmt.Fprintf(p.out, "FAILED: %d\n", len(l.Failed))
		p.unsyncedRows(l.Failed)
	}
	if len(l.Pending) > 0 {
		if len(l.Failed) > 0 {
			fmt.Fprintln(p.out)
		}
		fmt.Fprintf(p.out, "PENDING: %d\n", len(l.Pending))
		p.unsyncedRows(l.Pending)
	}
	switch {
	case d == nil:
	case d.Equal:
		fmt.Fprintf(p.out, "\nboth servers are equal\n")
	default:
		fmt.Fprintf(p.out, "\nDIFFER NOW: %d\n", len(l.Differ))
		p.differences(d)
		fmt.Fprintf(p.out, "\n  in what: %s diff %s\n", program, cell(pair.Destination))
	}
}

func (p *printer) unsyncedRows(list []workflows.Unsynced) {
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
