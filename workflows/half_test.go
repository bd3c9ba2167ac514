package workflows_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// A cookbook version that may be half written is never again taken for whole by
// its looks: not when it changes, not when it is compared with everything, and
// not when it was deleted meanwhile and is back.
func TestWhatMayBeHalfWrittenIsReplaced(t *testing.T) {
	c := object.MustRef("/cookbooks/c/1.0.0")
	for name, then := range map[string]func(w *world, bad *bool){
		"tried again": func(*world, *bool) {},
		"changed":     func(w *world, _ *bool) { w.change(object.ActionUpdate, "/cookbooks/c/1.0.0") },
		"compared": func(w *world, _ *bool) {
			w.survey = []object.Change{{Action: object.ActionUpdate, Ref: c}}
			w.env.SignalWorkflow(workflows.SignalForgetCursor, nil)
		},
		"gone and back": func(w *world, _ *bool) {
			w.change(object.ActionDelete, "/cookbooks/c/1.0.0")
			w.change(object.ActionCreate, "/cookbooks/c/1.0.0")
		},
		"deleted for a while": func(w *world, bad *bool) {
			w.change(object.ActionDelete, "/cookbooks/c/1.0.0")
			w.at(8*time.Second, func() {
				*bad = false // what writes it then has only the list to know from
				w.change(object.ActionCreate, "/cookbooks/c/1.0.0")
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			bad, half := true, true
			w.refuse(&bad, "c")
			w.half = true
			var last object.Action
			w.onFetch = func(f object.Change) string {
				if f.Ref == c {
					last = f.Action
				}
				return ""
			}
			onApply := w.onApply
			w.onApply = func(ref object.Ref, try int) string {
				reason := onApply(ref, try)
				if ref == c && reason == "" {
					half = false
				}
				return reason
			}
			w.change(object.ActionUpdate, "/cookbooks/c/1.0.0")
			w.at(3*time.Second, func() { then(w, &bad) })
			w.at(time.Hour, func() { bad = false })
			got := w.run(following(0), 5*time.Hour)
			if half || got.Unsynced != 0 || last != object.ActionReplace {
				t.Errorf("half %t, the last fetch is an %s, status %+v, did %v", half, last, got, w.history())
			}
		})
	}
}

// An Apply that broke off may have written half of a cookbook version. Who goes on,
// on this host or another, does not go by its looks, and neither does who compares
// everything because the primary's list has nothing of it any more.
func TestWhatBrokeOffIsReplaced(t *testing.T) {
	c, bag, role := object.MustRef("/cookbooks/c/1.0.0"), object.MustRef("/data/b"), object.MustRef("/roles/r")
	for name, broke := range map[string]error{
		"the host is gone":    temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_START, nil),
		"staging is lost":     temporal.NewNonRetryableApplicationError("gone", activities.TypeStagingLost, nil),
		"the replica is down": temporal.NewNonRetryableApplicationError("down", "any", nil),
	} {
		for _, back := range []bool{false, true} { // the primary's change, before the page is taken again
			t.Run(fmt.Sprintf("%s, taken back: %t", name, back), func(t *testing.T) {
				w := newWorld(t)
				did := map[object.Ref]object.Action{}
				w.onFetch = func(f object.Change) string {
					did[f.Ref] = f.Action
					return ""
				}
				broken := false
				w.applyOp = func(activities.ApplyInput) error {
					if broken {
						return nil
					}
					broken = true
					if back {
						w.feed = []object.Change{{Action: object.ActionUpdate, Ref: role}}
					}
					return broke
				}
				w.change(object.ActionUpdate, "/cookbooks/c/1.0.0", "/data/b")
				w.change(object.ActionUpdate, "/roles/r")
				got := w.run(following(0), time.Hour)
				want := map[object.Ref]object.Action{c: object.ActionReplace, bag: object.ActionUpdate, role: object.ActionUpdate}
				if !broken || !maps.Equal(did, want) || got.Unsynced != 0 {
					t.Errorf("fetched at last: %v, status %+v; want the cookbook alone replaced", did, got)
				}
			})
		}
	}
}

// A delete that broke off may have taken the files of a cookbook version and left its
// looks. If the primary has the version again, it is written whole; if not, it is
// deleted, also when nobody says so any more.
func TestADeleteThatBrokeOffIsRemembered(t *testing.T) {
	c := object.MustRef("/cookbooks/c/1.0.0")
	for name, then := range map[string]func(w *world){
		"back": func(w *world) {
			w.holds[c] = true
			w.feed = append(w.feed, object.Change{Action: object.ActionCreate, Ref: c})
		},
		"gone": func(*world) {},
		"not said": func(w *world) {
			w.feed = []object.Change{{Action: object.ActionUpdate, Ref: object.MustRef("/roles/r")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.answering()
			w.replica[c] = true
			var last object.Action
			w.onFetch = func(f object.Change) string {
				if f.Ref == c {
					last = f.Action
				}
				return ""
			}
			broken := false
			w.applyOp = func(activities.ApplyInput) error {
				if broken {
					return nil
				}
				broken = true
				then(w)
				return denied()
			}
			w.change(object.ActionDelete, c.Path())
			got := w.run(following(0), time.Hour)
			switch back := name == "back"; {
			case !broken || got.Unsynced != 0 || w.replica[c] != back:
				t.Errorf("status %+v, on the replica: %t", got, w.replica[c])
			case back && last != object.ActionReplace:
				t.Errorf("fetched to %s; want it replaced", last)
			}
		})
	}
}
