package config_test

import (
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/config"
)

func TestNearest(t *testing.T) {
	names := []string{"acme", "acme_eu", "acid", "production", "products", "staging"}
	for name, want := range map[string]string{
		"acmee": "acme acme_eu", "prodution": "production", "stagin": "staging", "x": "", "nowhere": "",
		"acme_us": "acme_eu acme",
	} {
		if got := strings.Join(config.Nearest(name, names), " "); got != want {
			t.Errorf("nearest to %s: %q, want %q", name, got, want)
		}
	}
	if got := config.Nearest("acme", nil); got != nil {
		t.Errorf("of none: %v", got)
	}
}
