package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/internal/replicate"
)

// Text writes the report for people. It is the same for the same report.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("chef-sync verification of %s", r.Pair)
	p("")
	p("verdict   %s", strings.ToUpper(string(r.Verdict)))
	if r.Problem != "" {
		p("          %s", r.Problem)
	}
	p("primary   %s", r.Primary.describe())
	p("replica   %s", r.Replica.describe())
	p("from      %s", stamp(r.Started))
	p("to        %s", stamp(r.Ended))
	p("by        chef-sync %s", r.Version)
	p("")
	p("%-22s %9s %9s %9s %9s", "KIND", "PRIMARY", "REPLICA", "EQUAL", "NOT EQUAL")
	for _, n := range r.Counts {
		p("%-22s %9d %9d %9d %9s", n.Kind, n.Primary, n.Replica, n.Equal, r.differ(n))
	}
	p("")
	p("%d distinct cookbook files were read and match their MD5.", r.Files)
	p("digest of the primary  %s", r.Primary.Digest)
	p("digest of the replica  %s", r.Replica.Digest)
	if r.Repaired > 0 {
		p("")
		p("%s", repaired(r.Repaired))
	}
	r.textDifferences(p)
	r.textLeft(p)
	_, err := io.WriteString(w, b.String())
	return err
}

// differ is the number of objects of a kind that are not equal. Where Differences
// does not hold all, there may be more, and it ends with a plus.
func (r *Report) differ(n replicate.KindCount) string {
	named := 0
	for _, d := range r.Differences {
		if d.Ref.Kind == n.Kind {
			named++
		}
	}
	if len(r.Differences) < r.Differ {
		return fmt.Sprintf("%d+", max(named, max(n.Primary, n.Replica)-n.Equal))
	}
	return strconv.Itoa(named)
}

func repaired(n int) string {
	if n == 1 {
		return "1 object was not equal at first and is now."
	}
	return fmt.Sprintf("%d objects were not equal at first and are now.", n)
}

func (r *Report) textDifferences(p func(string, ...any)) {
	if r.Differ == 0 {
		return
	}
	p("")
	p("NOT EQUAL: %d", r.Differ)
	for _, d := range r.Differences {
		p("  %s %s  %s", Mark(d.Case), d.Ref, d.What)
	}
	if more := r.Differ - len(r.Differences); more > 0 {
		p("  and %d more", more)
	}
}

func (r *Report) textLeft(p func(string, ...any)) {
	if len(r.Left)+len(r.Lacking) == 0 {
		return
	}
	p("")
	p("NOT CARRIED")
	for _, l := range r.Lacking {
		n := fmt.Sprintf("%d objects", l.Objects)
		if l.Objects < 0 {
			n = "not counted"
		}
		p("  the %s cannot hold objects of kind %s (%s)", l.Side, l.Kind, n)
	}
	for _, l := range r.Left {
		p("  %s (%d objects, as %s)", l.Text, l.Objects, l.Example)
	}
}

// Mark is the sign that stands before an object that is not equal.
func Mark(c replicate.Case) string {
	switch c {
	case replicate.CaseMissing:
		return "+"
	case replicate.CaseExtra:
		return "-"
	case replicate.CaseDamaged:
		return "!"
	case replicate.CaseUnknown:
		return "?"
	default:
		return "~"
	}
}

func (s Side) describe() string {
	if s.OrgGUID == "" {
		return s.URL
	}
	return s.URL + " (organization " + s.OrgGUID + ")"
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
