package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"

	"github.com/chef-sync/chef-sync/workflows"
)

// A namespace that may not be read, then has too few search attributes, one of
// another type, then all; and then does not answer.
func TestAttributes(t *testing.T) {
	var logged bytes.Buffer
	all := slices.Sorted(maps.Keys(workflows.SearchAttributes()))
	a := &attributes{log: slog.New(slog.NewTextHandler(&logged, nil))}
	for _, step := range []struct {
		name     string
		err      error
		change   func(map[string]enums.IndexedValueType)
		want     []string
		says     string // once, and never for the same again
		saysElse string
	}{
		{"may not be read", errors.New("denied"), nil, nil, "search attributes cannot be read", "err=denied"},
		{"none", nil, func(have map[string]enums.IndexedValueType) { clear(have) }, nil, "search attributes are missing", "doctor --setup"},
		{"of an older release", nil, func(have map[string]enums.IndexedValueType) { delete(have, "ChefSyncLag") },
			slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == "ChefSyncLag" }), "search attributes are missing", "missing=ChefSyncLag"},
		{"of another type", nil, func(have map[string]enums.IndexedValueType) {
			have["ChefSyncMode"] = enums.INDEXED_VALUE_TYPE_TEXT
		}, slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == "ChefSyncMode" }), "search attributes are missing", "missing=ChefSyncMode"},
		{"all", nil, func(map[string]enums.IndexedValueType) {}, all, "has all search attributes now", "level=INFO"},
		{"no answer", errors.New("unavailable"), nil, all, "", ""},
	} {
		t.Run(step.name, func(t *testing.T) {
			a.list = func(context.Context) (map[string]enums.IndexedValueType, error) {
				if step.err != nil {
					return nil, step.err
				}
				have := workflows.SearchAttributes()
				step.change(have)
				return have, nil
			}
			logged.Reset()
			a.look(t.Context())
			a.look(t.Context())
			if got := a.names(); !slices.Equal(got, step.want) {
				t.Errorf("got %v, want %v", got, step.want)
			}
			text := logged.String()
			if step.says == "" && text != "" || step.says != "" && strings.Count(text, step.says) != 1 || !strings.Contains(text, step.saysElse) {
				t.Errorf("want %q once, with %q, in\n%s", step.says, step.saysElse, text)
			}
		})
	}
}
