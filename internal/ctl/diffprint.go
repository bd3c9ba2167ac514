package ctl

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	reports "github.com/chef-sync/chef-sync/internal/report"
)

// What the table has room for; JSON has all.
const (
	mostFields  = 50 // of one object
	longestCell = 80 // of a value, in characters
)

// names prints the objects that differ.
func (p *printer) names(d *Diff) {
	for _, one := range d.Differences {
		fmt.Fprintln(p.out, p.mark(one.Case)+" "+cell(one.Ref.String()))
	}
}

// mark is the sign of a difference.
func (p *printer) mark(c replicate.Case) string {
	paint := red
	switch c {
	case replicate.CaseMissing:
		paint = green
	case replicate.CaseDifferent:
		paint = yellow
	default:
	}
	return p.paint(paint, reports.Mark(c))
}

// diff prints a comparison for people.
func (p *printer) diff(d *Diff) {
	fmt.Fprintf(p.out, "primary: %s of %s\nreplica: %s of %s\n\n", cell(d.Source), cell(d.Primary), cell(d.Organization), cell(d.Replica))
	p.differences(d)
	if len(d.Differences) > 0 {
		fmt.Fprintln(p.out)
	}
	p.counts(d)
	p.notCarried(d)
	fmt.Fprintf(p.out, "\ndigest of the primary  %s\ndigest of the replica  %s\n\n", d.Comparison.Primary, d.Comparison.Replica)
	fmt.Fprintln(p.out, d.verdict())
}

// differences prints each object that differs, and below it in what.
func (p *printer) differences(d *Diff) {
	for _, one := range d.Differences {
		what := one.What
		if one.Case == replicate.CaseExtra {
			what += " (kept)"
			if d.deletes {
				what = one.What + " (a full comparison deletes it)"
			}
		}
		fmt.Fprintln(p.out, p.mark(one.Case)+" "+cell(one.Ref.String())+"  "+p.paint(faint, cell(what)))
		for _, f := range one.Fields[:min(len(one.Fields), mostFields)] {
			p.field(f)
		}
		if more := len(one.Fields) - mostFields; more > 0 {
			fmt.Fprintf(p.out, "    and %s more; --output json shows all\n", count(more, "field"))
		}
	}
}

func (p *printer) field(f plan.Field) {
	path := cell(f.Path)
	if path == "" {
		path = "(all of it)"
	}
	fmt.Fprintf(p.out, "    %s: primary %s -> replica %s\n", path, shown(f.Primary), shown(f.Replica))
}

// shown is a value for the table.
func shown(value string) string {
	if value == "" {
		return "(none)"
	}
	n := utf8.RuneCountInString(value)
	if n <= longestCell {
		return clean(value)
	}
	return clean(string([]rune(value)[:longestCell])) + fmt.Sprintf("… (%d characters)", n)
}

// counts prints a line for each kind; of a comparison in part, for those that were
// looked at.
func (p *printer) counts(d *Diff) {
	differ := map[object.Kind]int{}
	for _, one := range d.Differences {
		differ[one.Ref.Kind]++
	}
	var cells [][]string
	for _, n := range d.Counts {
		if d.partly && n.Primary+n.Replica == 0 {
			continue
		}
		cells = append(cells, []string{
			string(n.Kind), strconv.Itoa(n.Primary), strconv.Itoa(n.Replica), strconv.Itoa(n.Equal), strconv.Itoa(differ[n.Kind]),
		})
	}
	p.rows([]string{"KIND", "PRIMARY", "REPLICA", "EQUAL", "NOT EQUAL"}, cells)
	if d.Files > 0 {
		fmt.Fprintf(p.out, "%s read and intact\n", count(d.Files, "cookbook file"))
	}
}

// notCarried says what counts as equal and is not all there.
func (p *printer) notCarried(d *Diff) {
	for _, side := range []struct {
		name  string
		kinds []object.Kind
	}{{"primary", d.PrimaryLacks}, {"replica", d.ReplicaLacks}} {
		for _, k := range side.kinds {
			fmt.Fprintf(p.out, "not compared: the %s cannot hold objects of kind %s\n", side.name, k)
		}
	}
	for _, l := range d.Left {
		fmt.Fprintf(p.out, "not carried: %s (%s, as %s)\n", cell(l.Text), count(l.Objects, "object"), cell(l.Example.String()))
	}
}

// verdict is the comparison in a sentence.
func (d *Diff) verdict() string {
	which := cell(d.Organization)
	if d.partly {
		which = "what was looked at of " + which
	}
	known := len(d.Differences) - d.Unknown
	switch {
	case d.Equal:
		return which + " is equal on both servers"
	case d.Unknown == 0:
		return which + " differs in " + count(known, "object")
	case known == 0:
		return which + ": it could not be told whether it is equal"
	default:
		return fmt.Sprintf("%s differs in %s; %s could not be read", which, count(known, "object"), count(d.Unknown, "object"))
	}
}
