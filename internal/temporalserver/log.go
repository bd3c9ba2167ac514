//go:build !noembed

package temporalserver

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.uber.org/zap/zapcore"
)

// logger gives the server's log lines to slog.
//
//	server's level         slog's level
//	debug, info            debug: hundreds of lines about its own start
//	warn                   warn; debug while the server starts or stops
//	error: canceled        debug; so is a failed request while the server starts or stops
//	error and worse        error
//
// Warnings of a start are remarks on a configuration that an operator cannot
// change, and services that stop one after the other warn of those that stopped
// before them. A canceled request is one whose client has left, a worker that stops
// for example; the server counts it as an error when the database notices first.
type logger struct {
	to    *slog.Logger
	phase *phase
}

var (
	_ log.Logger     = (*logger)(nil)
	_ log.WithLogger = (*logger)(nil)
)

// phase is what all loggers of one server share.
type phase struct {
	mu       sync.Mutex
	starting bool
	stopping bool
	fatal    error // the first fatal line while starting
}

func newLogger(to *slog.Logger) *logger {
	return &logger{to: to.With("component", "temporal"), phase: &phase{starting: true}}
}

// With returns a logger that adds tags to each line.
func (l *logger) With(tags ...tag.Tag) log.Logger {
	return &logger{to: slog.New(l.to.Handler().WithAttrs(attributes(tags))), phase: l.phase}
}

// Debug logs at debug level.
func (l *logger) Debug(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug, msg, tags) }

// Info logs at debug level.
func (l *logger) Info(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug, msg, tags) }

// Warn logs at warn level, or at debug level while the server starts or stops.
func (l *logger) Warn(msg string, tags ...tag.Tag) {
	level := slog.LevelWarn
	if !l.phase.isRunning() {
		level = slog.LevelDebug
	}
	l.log(level, msg, tags)
}

// failedRequest is what the server says of every request that ends with an error.
const failedRequest = "service failures"

// Error logs at error level; at debug level what comes from a canceled request, and
// requests that failed while services start ("not healthy yet") or stop ("task
// queue closed").
func (l *logger) Error(msg string, tags ...tag.Tag) {
	level := slog.LevelError
	if canceled(tags) || msg == failedRequest && !l.phase.isRunning() {
		level = slog.LevelDebug
	}
	l.log(level, msg, tags)
}

// DPanic logs at error level: a panic meant for the server's developers only.
func (l *logger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic logs at error level and panics.
func (l *logger) Panic(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	panic("temporal server: " + msg)
}

// Fatal must not return, and a library must not end the process. While the
// server starts it ends the goroutine, which makes start fail with this message.
// Later it panics: a server that lost its listener is of no use to anybody.
func (l *logger) Fatal(msg string, tags ...tag.Tag) {
	err := fmt.Errorf("%s%s", msg, inBrackets(attributes(tags)))
	if l.phase.failStart(err) {
		runtime.Goexit()
	}
	l.log(slog.LevelError, msg, tags)
	panic("temporal server: " + err.Error())
}

func (l *logger) log(level slog.Level, msg string, tags []tag.Tag) {
	ctx := context.Background() // log.Logger hands none down
	if l.to.Enabled(ctx, level) {
		l.to.LogAttrs(ctx, level, msg, attributes(tags)...)
	}
}

func (p *phase) started() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting = false
}

func (p *phase) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
}

func (p *phase) isRunning() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.starting && !p.stopping
}

// failStart keeps err and returns true if the server is still starting.
func (p *phase) failStart(err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.starting && p.fatal == nil {
		p.fatal = err
	}
	return p.starting
}

// failure returns what a fatal line said while the server started, or nil.
func (p *phase) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fatal
}

// attributes converts tags. A tag around a zap field may expand to several values
// (an error also has its stack); only the one under the tag's own key is kept.
func attributes(tags []tag.Tag) []slog.Attr {
	attrs := make([]slog.Attr, 0, len(tags))
	for _, t := range tags {
		value := any(nil)
		if zapTag, ok := t.(tag.ZapTag); ok {
			fields := zapcore.NewMapObjectEncoder()
			zapTag.Field().AddTo(fields)
			value = fields.Fields[t.Key()]
		} else {
			value = t.Value()
		}
		attrs = append(attrs, slog.Any(t.Key(), value))
	}
	return attrs
}

// canceled says whether one of tags is an error from a canceled context. The
// services pass errors to each other as text, so the text has to do.
func canceled(tags []tag.Tag) bool {
	return slices.ContainsFunc(attributes(tags), func(attr slog.Attr) bool {
		return attr.Key == "error" && strings.Contains(attr.Value.String(), context.Canceled.Error())
	})
}

// inBrackets renders attrs for the end of an error message.
func inBrackets(attrs []slog.Attr) string {
	if len(attrs) == 0 {
		return ""
	}
	return fmt.Sprintf(" %v", attrs)
}
