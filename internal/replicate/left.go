package replicate

import (
	"slices"
	"strings"
	"sync"

	"github.com/chef-sync/chef-sync/internal/object"
)

// lefts gathers what a replica cannot hold. The zero value is ready.
type lefts struct {
	mu sync.Mutex
	by map[string]Left
}

// mostLefts bounds what one batch adds to workflow history.
const mostLefts = 100

func (l *lefts) add(ref object.Ref, texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range texts {
		one, known := l.by[text]
		if !known {
			if len(l.by) == mostLefts {
				continue
			}
			one = Left{Text: text, Example: ref}
		}
		one.Objects++
		if l.by == nil {
			l.by = map[string]Left{}
		}
		l.by[text] = one
	}
}

func (l *lefts) sorted() []Left {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Left
	for _, one := range l.by {
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Left) int { return strings.Compare(a.Text, b.Text) })
	return out
}

// MergeLeft adds up two lists of what replicas cannot hold, both sorted by text.
func MergeLeft(a, b []Left) []Left {
	out := slices.Clone(a)
	for _, one := range b {
		i, known := slices.BinarySearchFunc(out, one.Text, func(l Left, text string) int { return strings.Compare(l.Text, text) })
		if known {
			out[i].Objects += one.Objects
		} else if len(out) < mostLefts {
			out = slices.Insert(out, i, one)
		}
	}
	return out
}
