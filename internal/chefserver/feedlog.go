package chefserver

import (
	"slices"
	"sort"
)

// change is the last thing that happened to one path.
type change struct {
	seq     int64
	created int64 // seq of the path's last creation
	gone    bool
}

// feedLog is the change log of one organization: one entry per path, however
// often it changed, and tombstones for what is gone. Ids rise with every change.
// It is guarded by the organization's mu.
type feedLog struct {
	epoch string
	head  int64
	// floor is the highest id of a tombstone that was pruned. A cursor below it
	// may have missed a delete.
	floor int64
	paths map[string]change
	// order holds the paths by id. Entries whose id is not the path's present
	// one are stale; they are skipped, and swept out when they are the majority.
	order []logEntry
	// grown is closed, and replaced, with every change.
	grown chan struct{}
}

type logEntry struct {
	seq  int64
	path string
}

func newFeedLog() *feedLog {
	return &feedLog{epoch: newGUID(), paths: map[string]change{}, grown: make(chan struct{})}
}

func (f *feedLog) created(path string) {
	f.record(path, change{seq: f.head + 1, created: f.head + 1})
}

func (f *feedLog) updated(path string) {
	f.record(path, change{seq: f.head + 1, created: f.paths[path].created})
}

func (f *feedLog) deleted(path string) {
	f.record(path, change{seq: f.head + 1, created: f.paths[path].created, gone: true})
}

func (f *feedLog) record(path string, c change) {
	f.head = c.seq
	f.paths[path] = c
	f.order = append(f.order, logEntry{c.seq, path})
	if len(f.order) > 64 && len(f.order) > 2*len(f.paths) {
		f.sweep()
	}
	close(f.grown)
	f.grown = make(chan struct{})
}

func (f *feedLog) sweep() {
	f.order = slices.DeleteFunc(f.order, func(e logEntry) bool { return f.paths[e.path].seq != e.seq })
}

// after returns the changes with an id above cursor, in order, as the feed
// prints them; at most limit when limit is positive.
func (f *feedLog) after(cursor int64, limit int) []any {
	out := []any{}
	i := sort.Search(len(f.order), func(i int) bool { return f.order[i].seq > cursor })
	for ; i < len(f.order); i++ {
		e := f.order[i]
		c := f.paths[e.path]
		if c.seq != e.seq {
			continue
		}
		action := "update"
		switch {
		case c.gone:
			action = "delete"
		case c.created > cursor:
			action = "create"
		}
		out = append(out, newObject("action", action, "id", e.seq, "path", e.path))
		if limit > 0 && len(out) == limit {
			break
		}
	}
	return out
}

// prune forgets all tombstones.
func (f *feedLog) prune() int {
	n := 0
	for path, c := range f.paths {
		if c.gone {
			f.floor = max(f.floor, c.seq)
			delete(f.paths, path)
			n++
		}
	}
	f.sweep()
	return n
}
