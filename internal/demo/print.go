package demo

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/workflows"
)

// printer speaks to the person who watches.
type printer struct{ out io.Writer }

func (p printer) step(format string, args ...any) {
	fmt.Fprintf(p.out, "\n==> %s\n", fmt.Sprintf(format, args...))
}

func (p printer) fact(name, value string) { fmt.Fprintf(p.out, "    %-13s %s\n", name, value) }

func (p printer) line(format string, args ...any) { fmt.Fprintf(p.out, "    "+format+"\n", args...) }

// status prints the pair as sync-status shows it.
func (p printer) status(s workflows.Status) {
	t := table.NewWriter()
	t.SetOutputMirror(p.out)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"organization", "state", "feed", "cursor", "last sync", "created", "files", "unsynced"})
	t.AppendRow(table.Row{s.Pair, s.Mode, s.Feed, s.Cursor.Position, s.LastSync.Format(time.TimeOnly + " MST"),
		s.Counters.Created, s.Counters.Files, s.Unsynced})
	t.Render()
}

// comparison prints what was compared and where the servers differ.
func (p printer) comparison(c replicate.Comparison) {
	t := table.NewWriter()
	t.SetOutputMirror(p.out)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"kind", "primary", "replica", "equal"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}}) // its last cell is empty, and no number
	for _, k := range c.Counts {
		t.AppendRow(table.Row{k.Kind, k.Primary, k.Replica, k.Equal})
	}
	t.AppendRow(table.Row{"files (by MD5)", "", c.Files, c.Files})
	t.Render()
	const most = 20
	for i, d := range c.Differences {
		if i == most {
			p.line("and %d more", len(c.Differences)-most)
			break
		}
		p.line("%s: %s", d.Ref, d.What)
	}
	if c.Equal() {
		p.line("The two servers are equal.")
	} else {
		p.line("The two servers differ in %d objects.", len(c.Differences))
	}
}

// bar is a progress bar on a terminal, and lines now and then elsewhere.
type bar struct {
	out      io.Writer
	what     string
	progress *mpb.Progress // nil without a terminal
	bar      *mpb.Bar

	mu     sync.Mutex
	detail string
	told   int // tenths that were printed
}

func newBar(out io.Writer, what string) *bar {
	b := &bar{out: out, what: what}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.progress = mpb.New(mpb.WithOutput(f), mpb.WithWidth(40))
		b.bar = b.progress.AddBar(0,
			mpb.PrependDecorators(decor.Name("    "+what+" "), decor.CountersNoUnit("%d of %d")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				b.mu.Lock()
				defer b.mu.Unlock()
				return b.detail
			})))
	}
	return b
}

// set says how far it is.
func (b *bar) set(done, total int) {
	if b.bar != nil {
		b.bar.SetTotal(int64(total), false)
		b.bar.SetCurrent(int64(done))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if tenth := done * 10 / max(total, 1); tenth > b.told {
		b.told = tenth
		fmt.Fprintf(b.out, "    %s %d of %d\n", b.what, done, total)
	}
}

// note says something beside.
func (b *bar) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.detail = fmt.Sprintf(format, args...)
}

// done ends the bar.
func (b *bar) done() {
	if b.bar != nil {
		b.bar.SetTotal(-1, true)
		b.progress.Wait()
	}
	if b.detail != "" {
		fmt.Fprintf(b.out, "    %s\n", b.detail)
	}
}
