package ctl

import (
	"fmt"
	"strings"

	"github.com/chef-sync/chef-sync/internal/prepare"
)

// maxNames is how many members of a group a table names.
const maxNames = 6

// prepared is the answer of prepare-org.
type prepared struct {
	Side string `json:"side"`
	*prepare.Result
	Next []string `json:"next"`
}

// show prints what was found and done.
func (p *preparation) show(r *prepare.Result) error {
	answer := prepared{Side: p.side, Result: r, Next: p.next(r)}
	if p.print.json {
		return p.print.document(answer)
	}
	where := r.Organization + " on " + r.Server
	if r.Organization == "" {
		where = r.Server + ", which has no organizations"
	}
	fmt.Fprintf(p.print.out, "%s, the %s; as %s\n\n", clean(where), p.side, clean(r.As))
	p.printSteps(r)
	p.printLists(r)
	for _, n := range r.Notes {
		fmt.Fprintln(p.print.out, "\n"+clean(n))
	}
	if r.DryRun {
		fmt.Fprintln(p.print.out, "\nNothing was done.")
	} else if len(answer.Next) > 0 {
		fmt.Fprintln(p.print.out, "\nnext:\n  "+clean(strings.ReplaceAll(p.print.given.on(strings.Join(answer.Next, "\n")), "\n", "\n  ")))
	}
	return nil
}

func (p *preparation) printSteps(r *prepare.Result) {
	paint := map[prepare.State]color{prepare.StateDone: green, prepare.StateWould: yellow, prepare.StateLacks: red, prepare.StateNone: faint}
	var rows [][]string
	for _, s := range r.Steps {
		rows = append(rows, []string{s.Name, p.print.paint(paint[s.State], string(s.State)), cell(s.What)})
	}
	p.print.rows([]string{"STEP", "RESULT", "WHAT"}, rows)
}

// printLists prints what the original's command compiled: groups, organization and
// actors. A job that failed has none.
func (p *preparation) printLists(r *prepare.Result) {
	if r.GUID != "" && len(r.Groups)+len(r.Actors) > 0 {
		fmt.Fprintln(p.print.out)
		p.print.rows([]string{"ORGANIZATION", "FULL NAME", "GUID", "MEMBERS"},
			[][]string{{cell(r.Organization), cell(r.FullName), cell(r.GUID), few(r.Members)}})
	}
	if len(r.Groups) > 0 {
		var rows [][]string
		for _, g := range r.Groups {
			row := []string{cell(g.Name), few(g.Users), few(g.Clients), few(g.Groups)}
			if g.Unread {
				row = []string{cell(g.Name), "not readable by " + cell(r.As), "", ""}
			}
			rows = append(rows, row)
		}
		fmt.Fprintln(p.print.out)
		p.print.rows([]string{"GROUP", "USERS", "CLIENTS", "GROUPS"}, rows)
	}
	if len(r.Actors) > 0 {
		var rows [][]string
		for _, a := range r.Actors {
			rows = append(rows, []string{cell(a.Kind), cell(a.Name), strings.Join(a.Rights, " ")})
		}
		fmt.Fprintln(p.print.out)
		p.print.rows([]string{"ACTOR", "NAME", "RIGHTS ON THE ORGANIZATION"}, rows)
	}
}

// few names the first of many.
func few(names []string) string {
	if len(names) > maxNames {
		return cell(strings.Join(names[:maxNames], ", ")) + fmt.Sprintf(" and %d more", len(names)-maxNames)
	}
	return cell(strings.Join(names, ", "))
}

// next is what to do after the organization is prepared.
func (p *preparation) next(r *prepare.Result) []string {
	if len(r.Lacks) > 0 || r.DryRun || len(r.Steps) == 0 || r.Steps[len(r.Steps)-1].Name != "rights" {
		return []string{}
	}
	if p.side == sideReplica {
		return []string{program + " reconfigure", "systemctl restart ec-syncd", program + " sync-start " + p.org}
	}
	if p.set.cfg.Replicates() {
		return p.onReplica()
	}
	return append([]string{fmt.Sprintf("scp -p %s REPLICA:%s    # then, there:", r.KeyFile, r.KeyFile)}, p.onReplica()...)
}

// onReplica prepares the organizations that p's is copied to, as far as they are known
// here.
func (p *preparation) onReplica() []string {
	var out []string
	for _, pair := range p.set.cfg.Pairs {
		if pair.Source == p.org {
			out = append(out, program+" prepare-org "+pair.Destination+" --side replica")
		}
	}
	if len(out) == 0 {
		return []string{program + " prepare-org DESTINATION    # the organization on the replica"}
	}
	return out
}
