package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/temporalserver"
)

func TestVersion(t *testing.T) {
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, err bytes.Buffer
		if code := exec(t.Context(), append([]string{"ec-syncd"}, args...), &out, &err); code != want {
			t.Errorf("%v: exit code %d, want %d: %s", args, code, want, err.String())
		}
		return out.String(), err.String()
	}
	want := "Temporal server " + temporalserver.Version()
	if !temporalserver.Embedded() {
		want = "Temporal server not built in"
	}
	if got, _ := run(exitOK, "version"); !strings.HasPrefix(got, "ec-syncd ") || !strings.Contains(got, want) {
		t.Errorf("version says %q; want %q", got, want)
	}
	var v versionAnswer
	text, _ := run(exitOK, "version", "--output", "json")
	if err := json.Unmarshal([]byte(text), &v); err != nil || v.Version == "" || v.Go == "" || (v.TemporalServer != nil) != temporalserver.Embedded() {
		t.Errorf("version --output json says %s (%v)", text, err)
	}
	if _, got := run(exitUsage, "version", "--output", "xml"); !strings.Contains(got, "table and json") {
		t.Errorf("another format: %q", got)
	}
	if got, _ := run(exitOK, "version", "--help"); !strings.Contains(got, "ec-syncd version --output json") {
		t.Errorf("no example in the help: %s", got)
	}
	if got, _ := run(exitOK, "--version"); !strings.Contains(got, v.Version) {
		t.Errorf("--version says %q", got)
	}
}
