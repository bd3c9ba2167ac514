// Package telemetry is how operators hear of a running process: structured logs
// for people on a terminal and for machines elsewhere. Nothing that it is given
// may hold bodies, keys or signed headers.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"gopkg.in/natefinch/lumberjack.v2"
)

// Options says where logs go.
type Options struct {
	// Out is where a person or a service manager reads; required.
	Out io.Writer

	// Plain writes lines for people to Out, without it they are JSON.
	Plain bool

	Level slog.Level

	// Directory gets the file ec-syncd.log, in JSON; "" writes no file.
	Directory string

	MaxBytes int64 // of a log file before it is rotated
	Keep     int   // rotated files that are kept
}

// NewLogger returns a logger, and a close that ends its file. If the directory
// cannot be made, the logger writes to Out only, and says so there.
func NewLogger(o Options) (*slog.Logger, func() error) {
	opts := &slog.HandlerOptions{Level: o.Level}
	var out slog.Handler = slog.NewJSONHandler(o.Out, opts)
	if o.Plain {
		out = slog.NewTextHandler(o.Out, opts)
	}
	nothing := func() error { return nil }
	if o.Directory == "" {
		return slog.New(out), nothing
	}
	if err := os.MkdirAll(o.Directory, 0o750); err != nil {
		l := slog.New(out)
		l.Warn("no log file", "err", fmt.Sprintf("%v; set ec_sync_client['log_directory'] to a directory that can be written", err))
		return l, nothing
	}
	file := &lumberjack.Logger{
		Filename:   filepath.Join(o.Directory, "ec-syncd.log"),
		MaxSize:    int(max(o.MaxBytes>>20, 1)), // in MiB
		MaxBackups: o.Keep,
	}
	return slog.New(slog.NewMultiHandler(out, slog.NewJSONHandler(file, opts))), file.Close
}
