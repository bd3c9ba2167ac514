package integration

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// figures are how long each fault was felt, in the order in which they came first.
type figures struct {
	names []string
	took  map[string][]time.Duration
}

func (f *figures) add(name string, took time.Duration) {
	if f.took == nil {
		f.took = map[string][]time.Duration{}
	}
	if len(f.took[name]) == 0 {
		f.names = append(f.names, name)
	}
	f.took[name] = append(f.took[name], took)
}

func (f *figures) times(name string) int { return len(f.took[name]) }

// String is a table in Markdown.
func (f *figures) String() string {
	var b strings.Builder
	b.WriteString("| what happened | times | a change arrives again after, median | at most |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(slices.Values(f.names)) {
		took := slices.Sorted(slices.Values(f.took[name]))
		fmt.Fprintf(&b, "| %s | %d | %.1f s | %.1f s |\n", name, len(took), took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
	}
	return b.String()
}
