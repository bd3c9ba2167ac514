//go:build !noembed

package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// TestLogLevels checks what of the server's log reaches an operator, and when.
func TestLogLevels(t *testing.T) {
	var logs logBuffer
	l := newLogger(logs.logger())
	tagged := log.With(l, tag.NewStringTag("shard", "7"))
	check := func(when, want string) {
		t.Helper()
		tagged.Info("info")
		tagged.Warn("warning")
		tagged.Error("broken", tag.Error(errors.New("disk is full")))
		tagged.Error("broken", tag.Error(fmt.Errorf("poll: %w", context.Canceled)))
		tagged.Error("service failures", tag.Error(errors.New("not healthy")))
		var got []string
		for line := range strings.Lines(logs.take()) {
			_, line, _ = strings.Cut(line, " ") // without the time
			got = append(got, strings.TrimSpace(line))
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got\n%s\nwant\n%s", when, strings.Join(got, "\n"), want)
		}
	}
	const (
		warning = `level=WARN msg=warning component=temporal shard=7`
		broken  = `level=ERROR msg=broken component=temporal shard=7 error="disk is full"`
		failed  = `level=ERROR msg="service failures" component=temporal shard=7 error="not healthy"`
	)
	check("starting", broken)
	l.phase.started()
	check("running", warning+"\n"+broken+"\n"+failed)
	l.phase.stop()
	check("stopping", broken)
}

// TestFatalWhileStarting checks that a service that cannot start becomes an error
// of Start, and not the end of the process.
func TestFatalWhileStarting(t *testing.T) {
	var logs logBuffer
	l := newLogger(logs.logger())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Fatal("no listener", tag.NewStringTag("address", "127.0.0.1:1"))
		t.Error("Fatal returned")
	}()
	<-done
	if err := l.phase.failure(); err == nil || err.Error() != "no listener [address=127.0.0.1:1]" {
		t.Errorf("got error %v", err)
	}

	l.phase.started()
	defer func() {
		if recover() == nil {
			t.Error("Fatal of a running server: no panic")
		}
		if lines := logs.take(); !strings.Contains(lines, "no listener") {
			t.Errorf("Fatal of a running server logged %q", lines)
		}
	}()
	l.Fatal("no listener")
}
