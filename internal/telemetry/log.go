// Package telemetry is how operators hear of a running process: structured logs
// for people on a terminal and for machines elsewhere. Nothing that it is given
// may hold bodies, keys or signed headers.
//
// A record that names a pair, with the attribute org, goes to the log of that
// organization; see package logfile for the names of the files. Warnings that repeat
// are folded; see [folded].
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/chef-sync/chef-sync/internal/logfile"
)

// The attributes with a meaning.
const (
	// AttrOrg is the destination organization of the pair that a record is about,
	// AttrSource the source.
	AttrOrg, AttrSource = "org", "source"

	// AttrRecovered says that a trouble of the record's pair is over, and names it.
	AttrRecovered = "recovered"

	attrRepeated   = "repeated"   // how many records like this one were left out
	attrWorkflowID = "WorkflowID" // of the Temporal SDK
)

// Options says where logs go.
type Options struct {
	// Out is where a person or a service manager reads; required.
	Out io.Writer

	// Plain writes lines for people to Out, without it they are JSON.
	Plain bool

	Level slog.Level

	// Directory gets the files, in JSON; "" writes none.
	Directory string

	// Organizations writes a file for each organization beside the manager's, which
	// gets what is of none, and warnings. Without it the manager's gets everything.
	Organizations bool

	MaxBytes int64 // of a log file before it is rotated
	Keep     int   // rotated files that are kept, of each
}

// NewLogger returns a logger, and a close that says what is still folded and ends the
// files. If the directory cannot be made, the logger writes to Out only, and says so
// there.
func NewLogger(o Options) (*slog.Logger, func() error) {
	opts := &slog.HandlerOptions{Level: o.Level, ReplaceAttr: readable}
	var out slog.Handler = slog.NewJSONHandler(o.Out, opts)
	if o.Plain {
		out = slog.NewTextHandler(o.Out, opts)
	}
	closeFiles := func() error { return nil }
	var noDirectory error
	if o.Directory != "" {
		if noDirectory = os.MkdirAll(o.Directory, 0o750); noDirectory == nil {
			l := newLogs(o, opts)
			out, closeFiles = slog.NewMultiHandler(out, &split{logs: l}), l.Close
		}
	}
	f := newFolds(time.Now)
	stop := f.sweepEvery(sweepInterval)
	log := slog.New(&folded{folds: f, next: out})
	if noDirectory != nil {
		log.Warn("no log file", "err", fmt.Sprintf("%v; set log_directory to a directory that can be written", noDirectory))
	}
	return log, func() error {
		stop()
		f.flush()
		return closeFiles()
	}
}

// readable writes durations as text; JSON would have nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Millisecond).String())
	}
	return a
}

// newLogs makes the files' handlers. A file is made with its first line.
func newLogs(o Options, opts *slog.HandlerOptions) *logs {
	l := &logs{options: o, handler: opts, open: map[string]slog.Handler{}}
	l.manager = l.handlerOf(filepath.Join(o.Directory, logfile.Manager))
	return l
}
