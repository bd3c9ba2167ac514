package workflows_test

import (
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// An object that fails is tried ever more rarely, whatever else changes meanwhile.
func TestOtherPagesDoNotMakeARetrySooner(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "bad")
	w.change(object.ActionUpdate, "/roles/bad")
	for i := range 4 * 60 {
		w.at(time.Duration(i)*30*time.Second, func() { w.change(object.ActionUpdate, "/roles/good") })
	}
	w.run(following(0), 2*time.Hour)
	if n := w.tries[object.MustRef("/roles/bad")]; n > 12 {
		t.Errorf("tried %d times in two hours; want ever more rarely", n)
	}
}

// One that changes after it has failed for long is tried soon again.
func TestAChangeMakesARetrySoon(t *testing.T) {
	w := newWorld(t)
	bad := true
	w.refuse(&bad, "bad")
	w.change(object.ActionUpdate, "/roles/bad")
	w.at(10*time.Hour, func() { w.change(object.ActionUpdate, "/roles/bad") })
	w.at(10*time.Hour+12*time.Second, func() { bad = false })
	w.at(10*time.Hour+40*time.Second, func() {
		if len(w.replica) == 0 {
			t.Errorf("not tried again half a minute after it changed: %+v", w.unsynced())
		}
	})
	w.run(following(0), 11*time.Hour)
}

// What is deleted is not read, also if it waits to be deleted or replaced already.
func TestWhatIsDeletedIsNotRead(t *testing.T) {
	for _, path := range []string{"/data/b", "/cookbooks/c/1.0.0", "/roles/r"} {
		for _, action := range []object.Action{object.ActionDelete, object.ActionReplace} {
			w := newWorld(t)
			ref := object.MustRef(path)
			w.replica[ref] = true
			w.onFetch = func(c object.Change) string {
				t.Errorf("%s, on the list to %s, was fetched to %s", path, action, c.Action)
				return ""
			}
			st := following(0)
			st.Unsynced = []workflows.Unsynced{{Ref: ref, Action: action, NextTry: time.Now().Add(time.Hour)}}
			w.change(object.ActionDelete, path)
			if got := w.run(st, time.Minute); w.replica[ref] || got.Unsynced != 0 {
				t.Errorf("%s: status %+v; want it deleted", path, got)
			}
		}
	}
}
