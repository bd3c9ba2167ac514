package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
)

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// clean makes text from elsewhere safe on a terminal: a server's error page must
// not move the cursor.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, s)
}

// cell is clean text of one line, for a table.
func cell(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// A color paints what an operator should see first.
type color string

const (
	green  color = "\x1b[32m"
	yellow color = "\x1b[33m"
	red    color = "\x1b[31m"
	faint  color = "\x1b[2m"
)

// printer prints answers.
type printer struct {
	out, err io.Writer
	json     bool
	colors   bool
	width    int // of the terminal, in columns; 0 = none, or not known
	now      func() time.Time
	given    given
}

// try prints what helps, one command in each line.
func (p *printer) try(w io.Writer, hint string) { tryLines(w, p.given.on(hint)) }

func (p *printer) paint(c color, s string) string {
	if !p.colors || c == "" {
		return s
	}
	return string(c) + s + "\x1b[0m"
}

// document prints v as JSON.
func (p *printer) document(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// warn tells of something that is not what was asked about.
func (p *printer) warn(hint, format string, args ...any) {
	fmt.Fprintln(p.err, "warning: "+clean(fmt.Sprintf(format, args...)))
	p.try(p.err, hint)
}

// rows prints a table without lines, so that cut and awk can read it.
func (p *printer) rows(header []string, rows [][]string) {
	t := table.NewWriter()
	t.SetStyle(table.Style{
		Box:     table.BoxStyle{PaddingRight: strings.Repeat(" ", columnGap), UnfinishedRow: "…"},
		Options: table.Options{},
	})
	t.AppendHeader(tableRow(header))
	for _, r := range rows {
		t.AppendRow(tableRow(r))
	}
	for line := range strings.Lines(t.Render()) {
		fmt.Fprintln(p.out, strings.TrimRight(line, " \n"))
	}
}

func tableRow(cells []string) table.Row {
	out := make(table.Row, len(cells))
	for i, c := range cells {
		out[i] = c
	}
	return out
}

// result is the answer of a command that does something.
type result struct {
	Organization string `json:"organization"`
	WorkflowID   string `json:"workflow_id"`

	// Result is one word or two for scripts: started, resumed, stopped, …
	Result string `json:"result"`

	Message string `json:"message"`
	Next    string `json:"next,omitempty"` // what to do, mostly a command
}

// result prints the answer of a command that does something.
func (p *printer) result(r result) error {
	if p.json {
		return p.document(r)
	}
	fmt.Fprintln(p.out, clean(r.Message))
	if r.Next != "" {
		fmt.Fprintln(p.out, "  next: "+clean(p.given.on(r.Next)))
	}
	return nil
}

// ago is a past time in UTC, and what it means now.
func (p *printer) ago(t *time.Time) string {
	if t == nil {
		return "never"
	}
	layout, d := "15:04:05", p.now().Sub(*t)
	if d >= day {
		layout = "2006-01-02 15:04"
	}
	return t.UTC().Format(layout) + " (" + span(d) + " ago)"
}

// since is how long ago something was.
func (p *printer) since(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return span(p.now().Sub(*t)) + " ago"
}

// in is a time to come.
func (p *printer) in(t *time.Time) string {
	if t == nil {
		return "-"
	}
	d := t.Sub(p.now())
	if d <= 0 {
		return "now"
	}
	return "in " + span(d)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

const day = 24 * time.Hour

// span is a duration in the one or two units that matter.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < day:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d/day), int(d%day/time.Hour))
	}
}

// moment is a time for JSON: null for never.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
