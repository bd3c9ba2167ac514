package property

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// shadow watches both servers from behind the engine's back: what changed on the
// primary and when, what the engine read of it, and each write to the replica as
// soon as it is done, acknowledged or not. It looks into the servers and uses
// nothing of the engine.
type shadow struct {
	w *world

	mu       sync.Mutex
	n, done  int               // changes of the primary that began, and that ended
	primary  map[string]string // its objects now
	had      map[string]bool   // what was ever there
	madeAt   map[string]int    // the change that made what is there
	lackedAt map[string]int    // the last change that took it away
	readAt   map[string]int    // when the engine last read it, counted in changes
	polledAt int               // when the last page of changes was asked for
	replica  map[string]string // its objects after the last write
	wrong    []string          // what should not have happened

	writing sync.Mutex // one write of the replica at a time
}

func newShadow(w *world) *shadow {
	return &shadow{
		w: w, had: map[string]bool{}, madeAt: map[string]int{}, lackedAt: map[string]int{}, readAt: map[string]int{},
		primary: map[string]string{}, replica: w.snapshot(w.replica).Objects,
	}
}

// change makes a change of the primary.
func (s *shadow) change(f func()) {
	s.mu.Lock()
	s.n++
	s.mu.Unlock()
	f()
	now := s.w.snapshot(s.w.primary).Objects
	s.mu.Lock()
	defer s.mu.Unlock()
	for path := range now {
		s.had[path] = true
		if _, was := s.primary[path]; !was {
			s.madeAt[path] = s.n
		}
	}
	for path := range s.primary {
		if _, is := now[path]; !is {
			s.lackedAt[path] = s.n
		}
	}
	s.primary, s.done = now, s.n
}

func (s *shadow) say(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// wrongs returns what should not have happened.
func (s *shadow) wrongs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.wrong...)
}

// polled notes that a page of changes was asked for when n changes were made.
func (s *shadow) polled(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polledAt = n
}

func (s *shadow) changes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

func objectPath(r *http.Request) string {
	return strings.TrimPrefix(r.URL.Path, "/organizations/"+harness.Organization)
}

// status remembers the status of an answer.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// watchPrimary notes what the engine reads.
func (s *shadow) watchPrimary(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.w.request()
		path := objectPath(r)
		s.mu.Lock()
		at := s.n
		_, there := s.primary[path]
		s.mu.Unlock()
		out := &status{ResponseWriter: rw, code: http.StatusOK}
		next.ServeHTTP(out, r)
		if r.Method == http.MethodGet && there && out.code == http.StatusOK {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.readAt[path] = max(s.readAt[path], at)
		}
	})
}

// watchReplica looks at the replica after each write.
func (s *shadow) watchReplica(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.w.request()
		if r.Method == http.MethodGet {
			next.ServeHTTP(rw, r)
			return
		}
		s.writing.Lock()
		defer s.writing.Unlock()
		defer s.look(r.Method, objectPath(r)) // also if the connection is cut
		next.ServeHTTP(rw, r)
	})
}

// placeholder is the name of what chef-sync makes and deletes to make something
// else that is empty.
const placeholder = "chef-sync-placeholder"

func (s *shadow) look(method, path string) {
	snap := s.w.snapshot(s.w.replica)
	s.mu.Lock()
	defer s.mu.Unlock()
	before, now := s.replica, snap.Objects
	s.replica = now
	for p, v := range snap.Cookbooks {
		if !v.Complete() {
			s.say("%s %s: %s stands without all of its files", method, path, p)
		}
	}
	for p, value := range now {
		if before[p] != value {
			s.written(p, value, now)
		}
	}
	if method == http.MethodDelete && !strings.Contains(path, placeholder) {
		_, was := before[path]
		_, is := now[path]
		if was && !is {
			s.deleted(path, before[path])
		}
	}
}

// written checks that an object stands after what it points at.
func (s *shadow) written(path, value string, now map[string]string) {
	switch word := strings.Split(path, "/"); {
	case strings.Contains(path, placeholder):
	case word[1] == "policy_groups" && len(word) == 5:
		id := revisionID(value)
		revision, ok := now["/policies/"+word[4]+"/revisions/"+id]
		if !ok {
			s.say("%s points at revision %s, which is not there", path, id)
		}
		for _, artifact := range locked(revision) {
			if _, ok := now[artifact]; !ok {
				s.say("%s points at revision %s, whose %s is not there", path, id, artifact)
			}
		}
	case word[1] == "data" && len(word) == 4:
		if _, ok := now["/data/"+word[2]]; !ok {
			s.say("%s stands without its bag", path)
		}
	case word[1] == "roles" && s.w.in.Calm:
		_, rest, _ := strings.Cut(value, `recipe[`)
		name, _, _ := strings.Cut(rest, "]")
		s.wantCookbook(path, name, now)
	}
}

// failed checks, where nothing fails, that no object did; but a pointer has to wait
// for an artifact that somebody has deleted on the primary.
func (s *shadow) failed(list []replicate.Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range list {
		if s.w.in.Calm && !f.Again && !s.dangling(f.Ref.Path()) {
			s.say("%s failed although nothing did: %s", f.Ref, f.Reason)
		}
	}
}

// dangling reports whether the primary lacks what one of its pointers needs, or
// got it after the page of changes was asked for.
func (s *shadow) dangling(path string) bool {
	word := strings.Split(path, "/")
	if word[1] != "policy_groups" || len(word) != 5 {
		return false
	}
	for _, a := range locked(s.primary["/policies/"+word[4]+"/revisions/"+revisionID(s.primary[path])]) {
		if _, ok := s.primary[a]; !ok || s.madeAt[a] > s.polledAt {
			return true
		}
	}
	return false
}

// revisionID is the id in a pointer.
func revisionID(pointer string) string {
	return strings.TrimSuffix(strings.TrimPrefix(pointer, `{"revision_id":"`), `"}`)
}

// wantCookbook checks, where nothing fails, that a role comes after the cookbook
// that it names, if the page of changes was asked for when both were there.
func (s *shadow) wantCookbook(role, name string, now map[string]string) {
	made, held := false, false
	for p := range s.primary {
		made = made || strings.HasPrefix(p, "/cookbooks/"+name+"/") && s.madeAt[p] <= s.polledAt
	}
	for p := range now {
		held = held || strings.HasPrefix(p, "/cookbooks/"+name+"/")
	}
	if made && !held {
		s.say("%s came before cookbook %s", role, name)
	}
}

// deleted checks that what the replica lost is nothing that the primary has: it
// never had it (and the pair deletes extras), or it lost it since the engine last
// read it there. What no server changes may be deleted to be made anew.
func (s *shadow) deleted(path, value string) {
	present, there := s.primary[path]
	fixed := strings.HasPrefix(path, "/cookbook") || strings.Contains(path, "/revisions/")
	switch {
	case !s.had[path]:
		if !s.w.in.DeleteExtras {
			s.say("%s was deleted, which never was on the primary", path)
		}
	case there && fixed && present != value, hollow(path, s.primary):
	case s.lackedAt[path] == 0 || s.lackedAt[path] < s.readAt[path]:
		s.say("%s was deleted, which the primary has: made by change %d, read at %d, lost by %d, now %d",
			path, s.madeAt[path], s.readAt[path], s.lackedAt[path], s.n)
	}
}

func (w *world) snapshot(s *harness.ChefServer) *chefserver.Snapshot {
	snap, err := s.Snapshot(harness.Organization)
	if err != nil {
		panic(err)
	}
	return snap
}
