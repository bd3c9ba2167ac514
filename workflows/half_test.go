package workflows_test

import (
	"testing"
	"time"

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
