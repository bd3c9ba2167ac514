package workflows

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/internal/replicate"
)

// shown are the search attributes as last set; setting them again would cost history.
type shown struct {
	names    string // of those that the namespace has
	mode     Mode
	unsynced int
	lag      int64 // -1 = not known
}

// show tells the Web UI what the pair is doing: current details in Markdown
// (which cost no history) and search attributes (one event when they change).
func (r *run) show(ctx workflow.Context) {
	if m := r.state.mode(); m != r.state.Mode {
		r.state.Mode, r.state.Since = m, r.now()
		r.tellMode()
	}
	r.tellRecovery()
	workflow.SetCurrentDetails(ctx, r.details())
	r.upsert(ctx)
}

// shownUnsynced is how many unsynced objects the details name.
const shownUnsynced = 10

// details is the pair in Markdown.
func (r *run) details() string {
	st := r.state.status(r.in.Pair)
	var b strings.Builder
	fmt.Fprintf(&b, "### %s: %s\n\n", st.Pair, st.Mode)
	if st.Reason != "" {
		fmt.Fprintf(&b, "**%s**\n\n", st.Reason)
	}
	if st.Hint != "" {
		fmt.Fprintf(&b, "What helps: `%s`\n\n", st.Hint)
	}
	fmt.Fprintf(&b, "| | |\n|---|---|\n")
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, cell(fmt.Sprintf(format, args...)))
	}
	row("Mode", "%s since %s", st.Mode, stamp(st.Since))
	row("Feed", "%s", cmp.Or(st.Feed, "not chosen yet"))
	row("Cursor", "%s", st.Cursor)
	row("Lag", "%s", lagText(st))
	if st.Survey != nil {
		row("Comparing", "%d of %d objects", st.Survey.Offset, st.Survey.Total)
	}
	row("Last sync", "%s", stamp(st.LastSync))
	row("Next sync", "%s", r.nextSync(st))
	if e := r.state.LastError; e != nil {
		row("Last error", "%s: %s", stamp(e.At), e.Message)
	}
	row("Primary", "%s", st.Identities.Primary.URL)
	row("Replica", "%s", st.Identities.Replica.URL)
	c := st.Counters
	row("Objects", "%d created, %d updated, %d deleted, %d left alone", c.Created, c.Updated, c.Deleted, c.Equal)
	row("Unsynced", "%d", st.Unsynced)
	if st.Extras > 0 {
		row("Only on the replica", "%d, kept", st.Extras)
	}
	if st.Identities.SameOrganization() {
		row("The same organization", "both servers show one GUID: one was restored from the other, or they are one server with two names")
	}
	if lacks := st.Identities.Primary.Lacks; lacks != "" {
		row("The primary cannot hold", "%s", lacks)
	}
	if lacks := st.Identities.Replica.Lacks; lacks != "" {
		row("The replica cannot hold", "%s", lacks)
	}
	row("Verified", "%s", st.Verified)
	listLeft(&b, st.Left)
	r.listUnsynced(&b)
	return b.String()
}

// lagText says how far the replica is behind, as far as is known.
func lagText(st Status) string {
	switch {
	case st.Behind < 0:
		return "not known"
	case st.Behind == 0:
		return "0 changes, when it last looked"
	default:
		return fmt.Sprintf("%d changes after those of the last page", st.Behind)
	}
}

// cellMost bounds the text of a cell, in bytes: details travel in an address.
const cellMost = 500

// cell makes a text fit a cell of a Markdown table.
func cell(text string) string {
	if len(text) > cellMost {
		text = strings.ToValidUTF8(text[:cellMost], "") + " …"
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

func (r *run) nextSync(st Status) string {
	switch st.Mode {
	case ModeStopped, ModeHalted:
		return "none"
	default:
		return "see Pending Activities: Poll says when"
	}
}

// listUnsynced is a list and no table: reasons are long, and the Web UI cuts
// what is wider than half a page.
func (r *run) listUnsynced(b *strings.Builder) {
	if len(r.state.Unsynced) == 0 {
		return
	}
	fmt.Fprintf(b, "\nUnsynced objects:\n\n")
	for i, u := range r.state.Unsynced {
		if i == shownUnsynced {
			fmt.Fprintf(b, "- and %d more: query `%s`\n", len(r.state.Unsynced)-i, QueryUnsynced)
			return
		}
		next := "next try " + stamp(u.NextTry)
		if u.Waits {
			next = "waits"
		}
		fmt.Fprintf(b, "- `%s` (tried %d times, %s): %s\n", u.Ref, u.Attempts, next, u.Reason)
	}
}

// listLeft names what the replica cannot hold of objects that count as copied.
func listLeft(b *strings.Builder, left []replicate.Left) {
	if len(left) == 0 {
		return
	}
	fmt.Fprintf(b, "\nNot carried:\n\n")
	for i, l := range left {
		if i == shownUnsynced {
			fmt.Fprintf(b, "- and %d more: query `%s`\n", len(left)-i, QueryStatus)
			return
		}
		fmt.Fprintf(b, "- %s (%d objects, as `%s`)\n", l.Text, l.Objects, l.Example)
	}
}

// String says how the verification ended; "never" of nil.
func (v *Verified) String() string {
	switch {
	case v == nil:
		return "never"
	case v.Differ > 0:
		return fmt.Sprintf("%s: %s, %d objects", stamp(v.At), v.Verdict, v.Differ)
	default:
		return fmt.Sprintf("%s: %s", stamp(v.At), v.Verdict)
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 MST")
}
