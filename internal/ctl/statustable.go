package ctl

import (
	"fmt"
	"strconv"
	"strings"

	reports "github.com/chef-sync/chef-sync/internal/report"
	"github.com/chef-sync/chef-sync/workflows"
)

// look says how the table of sync-status is shown.
type look struct {
	clear   bool // the terminal first
	watch   bool
	heading string
}

// status prints pairs as a table, and below it why those are as they are that
// need a word.
func (p *printer) status(rows []Row, l look) error {
	if l.clear {
		fmt.Fprint(p.out, "\x1b[H\x1b[2J")
	}
	if l.watch {
		fmt.Fprintf(p.out, "%s, %s\n\n", stamp(p.now()), clean(l.heading))
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintf(p.out, "no pair runs: %s\n", clean(l.heading))
		return err
	}
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, p.statusRow(r))
	}
	leftOut := p.fitted([]string{
		"ORGANIZATION", "STATE", "FEED", "CURSOR", "BEHIND",
		"LAST SYNC (UTC)", "NEXT SYNC", "UNSYNCED", "VERIFIED",
	}, cells, []narrower{
		{column: "LAST SYNC (UTC)", as: "LAST SYNC", cell: func(i int) string { return p.since(rows[i].LastSync) }},
		{column: "CURSOR"},
		{column: "FEED"},
		{column: "VERIFIED", as: "VERIFIED", cell: func(i int) string { return p.verdict(rows[i]) }},
		{column: "NEXT SYNC"},
		{column: "VERIFIED"},
	})
	for _, r := range rows {
		p.note(r)
	}
	for _, r := range rows {
		p.noteSame(r)
		p.noteLeft(r)
	}
	p.noteSlowed(rows)
	if leftOut != "" {
		fmt.Fprintln(p.out, "\n"+p.paint(faint, "no room here for "+leftOut+"; --output json has all"))
	}
	if l.watch {
		fmt.Fprintln(p.out)
	}
	return nil
}

func (p *printer) statusRow(r Row) []string {
	name := r.Organization
	if r.Source != "" && r.Source != r.Organization {
		name = r.Source + " -> " + r.Organization
	}
	unsynced := "?"
	switch {
	case r.Unsynced != nil && *r.Unsynced > 0:
		unsynced = p.paint(red, strconv.Itoa(*r.Unsynced))
	case r.Unsynced != nil:
		unsynced = "0"
	case r.idle():
		unsynced = "-"
	}
	return []string{
		cell(name), p.paint(stateColor(r), stateText(r)), orDash(cell(r.Feed)), orDash(short(cell(r.Cursor))),
		behind(r), p.ago(r.LastSync), p.in(r.NextSync), unsynced, p.verified(r),
	}
}

// verified is how the last verification ended, and how long ago.
func (p *printer) verified(r Row) string {
	if r.idle() || r.State == stateNoAnswer || r.Verified == nil {
		return p.verdict(r)
	}
	return p.verdict(r) + p.paint(verdictColor(r), " ("+span(p.now().Sub(r.Verified.At))+" ago)")
}

// verdict is how the last verification ended.
func (p *printer) verdict(r Row) string {
	switch {
	case r.idle():
		return "-"
	case r.State == stateNoAnswer:
		return "?"
	case r.Verified == nil:
		return "never"
	}
	text := string(r.Verified.Verdict)
	if r.Verified.Verdict == reports.Differs {
		text = fmt.Sprintf("%d differ", r.Verified.Differ)
	}
	return p.paint(verdictColor(r), cell(text))
}

func verdictColor(r Row) color {
	switch r.Verified.Verdict {
	case reports.Equal:
		return green
	case reports.Differs:
		return red
	default:
		return yellow
	}
}

// stateText is the state of a pair, with what it waits for if that was meant.
func stateText(r Row) string {
	if r.rests() {
		return r.State + " (" + cell(r.Reason) + ")"
	}
	return r.State
}

// noteSlowed prints what slows the servers down, which all pairs share.
func (p *printer) noteSlowed(rows []Row) {
	seen := map[string]bool{}
	for _, r := range rows {
		for _, s := range r.Slowed {
			if !seen[s.Side] {
				seen[s.Side] = true
				fmt.Fprintf(p.out, "\nthe %s is asked for less than it could be: %s\n", cell(s.Side), cell(strings.Join(s.Reasons, "; ")))
			}
		}
	}
}

// stateColor is green where nothing needs doing and red where a person does.
func stateColor(r Row) color {
	switch r.State {
	case string(workflows.ModeFollowing), string(workflows.ModeBootstrapping), stateSyncedOnce:
		return green
	case string(workflows.ModeStopped), stateStopping, stateRemoved:
		return faint
	case string(workflows.ModeWaiting), stateNotStarted:
		return yellow
	default:
		return red
	}
}

// idle reports whether there is no workflow that could know more.
func (r Row) idle() bool { return r.Counters == nil && r.State != stateNoAnswer }

// behind is how far the replica is from the primary, in words.
func behind(r Row) string {
	switch {
	case r.ToCompare != nil:
		return fmt.Sprintf("compared %d of %d", *r.Compared, *r.ToCompare)
	case r.idle():
		return "-"
	case r.Behind == nil:
		return "?"
	case *r.Behind == 0:
		return "nothing"
	case *r.Behind == 1:
		return "1 change"
	default:
		return fmt.Sprintf("%d changes", *r.Behind)
	}
}

// note prints what the table has no room for.
func (p *printer) note(r Row) {
	var why []string
	if r.Reason != "" && !r.rests() { // the table says that
		why = append(why, r.Reason)
	}
	if r.Problem != "" {
		why = append(why, r.Problem)
	}
	if r.Unsynced != nil && *r.Unsynced > 0 {
		why = append(why, strconv.Itoa(*r.Unsynced)+" unsynced")
	}
	if !r.Configured {
		why = append(why, "not in the configuration")
	}
	if len(why) == 0 && !r.Attention {
		return
	}
	head := r.Organization + ": " + r.State
	if r.Since != nil {
		head += " since " + stamp(*r.Since)
	}
	if len(why) > 0 {
		head += ": " + strings.Join(why, "; ")
	}
	fmt.Fprintln(p.out, "\n"+p.paint(stateColor(r), cell(head)))
	p.try(p.out, r.Hint)
}

// noteSame tells of two sides that may be one.
func (p *printer) noteSame(r Row) {
	if !r.SameOrganization {
		return
	}
	fmt.Fprintf(p.out, "\n%s: both servers show the same organization, by its GUID. Unless one was restored from a backup of the other,\n"+
		"they are one server with two names, and nothing is replicated.\n", cell(r.Organization))
	p.try(p.out, program+" doctor --only organization")
}

// mostLeft is how much of what a replica cannot hold is printed; JSON has all.
const mostLeft = 5

// noteLeft prints what the servers cannot hold.
func (p *printer) noteLeft(r Row) {
	if len(r.PrimaryLacks)+len(r.ReplicaLacks)+len(r.Left) == 0 {
		return
	}
	fmt.Fprintln(p.out, "\n"+cell(r.Organization)+" is not carried completely:")
	if len(r.PrimaryLacks) > 0 {
		fmt.Fprintln(p.out, "  the primary cannot hold "+cell(strings.Join(r.PrimaryLacks, ", ")))
	}
	if len(r.ReplicaLacks) > 0 {
		fmt.Fprintln(p.out, "  the replica cannot hold "+cell(strings.Join(r.ReplicaLacks, ", ")))
	}
	for i, l := range r.Left {
		if i == mostLeft {
			fmt.Fprintf(p.out, "  and %d more; --output json has all\n", len(r.Left)-i)
			break
		}
		fmt.Fprintf(p.out, "  %s (%s, as %s)\n", cell(l.Text), count(l.Objects, "object"), cell(l.Example.String()))
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// short keeps the positions of the listing feed, which are digests, from
// widening the table.
func short(s string) string {
	const most = 12
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
