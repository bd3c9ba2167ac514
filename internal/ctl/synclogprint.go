package ctl

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/chef-sync/chef-sync/internal/logfile"
)

// quietAttrs are attributes that are the same in all lines of a log, or tell an
// operator nothing: they are in JSON only.
var quietAttrs = map[string]bool{
	"Namespace": true, "TaskQueue": true, "WorkerID": true, "WorkerType": true, "WorkflowID": true, "WorkflowType": true,
	"RunID": true, "ActivityID": true,
}

// levelColor is how a level is painted.
func levelColor(l slog.Level) color {
	switch {
	case l >= slog.LevelError:
		return red
	case l >= slog.LevelWarn:
		return yellow
	case l < slog.LevelInfo:
		return faint
	}
	return ""
}

// logLines prints lines of the log of an organization, or of ec-syncd itself if org
// is "".
func (p *printer) logLines(lines []logfile.Line, org string) {
	for _, l := range lines {
		switch {
		case p.json && l.Parsed():
			fmt.Fprintln(p.out, string(l.Raw))
		case p.json: // a line that a crash cut is none
		case !l.Parsed():
			fmt.Fprintln(p.out, cell(string(l.Raw)))
		default:
			fmt.Fprintln(p.out, p.logLine(l, org))
		}
	}
}

// logLine is a line for people.
func (p *printer) logLine(l logfile.Line, org string) string {
	var b strings.Builder
	b.WriteString(l.Time.UTC().Format("2006-01-02 15:04:05") + " " + p.paint(levelColor(l.Level), fmt.Sprintf("%-5s", l.Level)) + " " + cell(l.Message))
	for _, a := range l.Attrs {
		if quietAttrs[a.Key] || a.Value == "" || a.Key == "Attempt" && a.Value == "1" || org != "" && a.Value == org && (a.Key == "org" || a.Key == "source") {
			continue
		}
		b.WriteString(" " + p.paint(faint, cell(a.Key)+"="))
		if v := clean(a.Value); strings.ContainsAny(v, " \t\n\"=") {
			fmt.Fprintf(&b, "%q", v)
		} else {
			b.WriteString(v)
		}
	}
	return b.String()
}
