package ctl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArrange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"sync-status", "sync-status"},
		{"sync-status acme -o json", "-o json sync-status acme"},
		{"sync-stop acme --reason x", "sync-stop --reason x acme"},
		{"sync-stop --reason=x acme --config c.rb", "--config c.rb sync-stop --reason=x acme"},
		{"-c c.rb sync-status --watch acme", "-c c.rb sync-status --watch acme"},
		{"sync-status --no-color acme -w", "--no-color sync-status -w acme"},
		{"remove acme -y", "remove -y acme"},
		{"sync-stop acme --nope", "sync-stop --nope acme"},
		{"--nope sync-stop", "--nope sync-stop"},
		{"sync-stop acme --help", "sync-stop --help"},
		{"sync-stop -- --acme", "sync-stop -- --acme"},
		{"sync-stop acme --reason", "sync-stop --reason acme"},
		{"nope acme -w", "nope -w acme"},
	} {
		t.Run(c.in, func(t *testing.T) {
			t.Parallel()
			app := (&App{}).cli()
			got := arrange(app, append([]string{program}, strings.Fields(c.in)...))
			if diff := cmp.Diff(strings.TrimSpace(program+" "+c.want), strings.Join(got, " ")); diff != "" {
				t.Errorf("arrange(%q): %s", c.in, diff)
			}
		})
	}
}
