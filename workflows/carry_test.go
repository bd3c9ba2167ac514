package workflows_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

// filled gives every field that v has, and theirs, a value that is not zero.
func filled(t *testing.T, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
		return
	case object.Ref:
		v.Set(reflect.ValueOf(object.MustRef("/roles/r")))
		return
	case object.Kind:
		v.Set(reflect.ValueOf(object.KindRole))
		return
	case object.Action:
		v.Set(reflect.ValueOf(object.ActionDelete))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				t.Fatalf("%s.%s is not exported: it does not reach the next run", v.Type(), v.Type().Field(i).Name)
			}
			filled(t, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filled(t, v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		filled(t, key)
		filled(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	default:
		t.Fatalf("a %s cannot be filled: teach this test", v.Type())
	}
}

// Whatever a pair knows, the next run of it knows: each field of its input, and of
// what those hold, is written and read again as it is.
func TestEveryFieldIsCarriedOn(t *testing.T) {
	var in workflows.SyncInput
	filled(t, reflect.ValueOf(&in).Elem())
	in.State.Format = 0                   // as a release wrote it that knew of none
	in.State.Mode = workflows.ModeStopped // as it is: stopped
	in.State.CompareAt = time.Time{}      // or else everything is compared, and that changes much
	in.State.Trouble.Key = "any"
	w := newWorld(t)
	w.env.SetStartTime(in.State.Since)
	w.env.SetContinueAsNewSuggested(true)
	w.env.ExecuteWorkflow(workflows.Name, in)
	want := in
	want.State.Counters.Restarts++
	want.State.Format = workflows.StateFormat
	if got := w.next(); !reflect.DeepEqual(got, want) {
		a, _ := json.MarshalIndent(got, "", " ")
		b, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("carried %s\nwant %s", a, b)
	}
}

// What is noted for later is carried on, too.
func TestTheTimeToCompareIsCarriedOn(t *testing.T) {
	w := newWorld(t)
	st := following(0)
	st.CompareAt = w.env.Now().Add(time.Hour).UTC().Truncate(time.Second)
	w.env.SetContinueAsNewSuggested(true)
	w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: st})
	if got := w.next().State; !got.CompareAt.Equal(st.CompareAt) {
		t.Errorf("carried %v; want %v", got.CompareAt, st.CompareAt)
	}
}

// What an operator says in the last task of a run counts, whatever that is.
func TestEverySignalOfTheLastTaskCounts(t *testing.T) {
	role := object.MustRef("/roles/r")
	verified := &workflows.Verified{Verdict: "in-sync", At: time.Unix(1, 0).UTC()}
	for name, c := range map[string]struct {
		say any
		did func(s workflows.State) bool
	}{
		workflows.SignalStart:        {nil, func(s workflows.State) bool { return !s.Stopped && s.StopReason == "" }},
		workflows.SignalSyncNow:      {nil, func(s workflows.State) bool { return s.Deep }},
		workflows.SignalForgetCursor: {nil, func(s workflows.State) bool { return s.Cursor.IsZero() && s.ResetReason != "" }},
		workflows.SignalRepair: {workflows.Signal{Repair: []object.Change{{Action: object.ActionUpdate, Ref: role}}},
			func(s workflows.State) bool { return len(s.Unsynced) == 1 && s.Unsynced[0].Ref == role }},
		workflows.SignalVerified: {workflows.Signal{Verified: verified}, func(s workflows.State) bool { return reflect.DeepEqual(s.Verified, verified) }},
	} {
		w := newWorld(t)
		w.env.SetContinueAsNewSuggested(true)
		w.at(0, func() { w.env.SignalWorkflow(name, c.say) })
		st := following(0)
		st.Stopped, st.StopReason = true, "why"
		w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: st})
		if s := w.next().State; !c.did(s) {
			t.Errorf("after %s, %+v is carried on", name, s)
		}
	}
	w := newWorld(t)
	w.env.SetContinueAsNewSuggested(true)
	w.signal(0, workflows.SignalRemove)
	w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: following(0)})
	if err := w.env.GetWorkflowError(); err != nil {
		t.Errorf("after %s, it ended with %v; want it removed", workflows.SignalRemove, err)
	}
}

// Whatever a pair is about, a word of an operator's is heard after the batch under way.
func TestEndsWhereverItIs(t *testing.T) {
	for _, where := range []string{"reading", "writing", "deleting", "a retry"} {
		for _, how := range []string{"cancel", workflows.SignalRemove, workflows.SignalStop} {
			t.Run(fmt.Sprint(where, ", ", how), func(t *testing.T) {
				w := newWorld(t)
				old, late := object.MustRef("/roles/old"), object.MustRef("/roles/r3")
				w.replica[old] = true
				w.change(object.ActionUpdate, "/cookbooks/c/1.0.0", late.Path())
				w.change(object.ActionDelete, old.Path())
				hit, did := false, 0
				end := func() {
					if hit {
						return
					}
					hit, did = true, len(w.log)
					if how == "cancel" {
						w.env.CancelWorkflow()
					} else {
						w.env.SignalWorkflow(how, nil)
					}
				}
				w.onFetch = func(object.Change) string {
					if where == "reading" {
						end()
					}
					return ""
				}
				w.onApply = func(_ object.Ref, try int) string {
					if where == "a retry" && try == 1 {
						return "500"
					}
					return ""
				}
				w.applyOp = func(in activities.ApplyInput) error {
					if where == "writing" || where == "deleting" && len(in.Deletes) > 0 || where == "a retry" && w.tries[late] > 0 {
						end()
					}
					return nil
				}
				w.at(time.Hour, func() {
					if how == workflows.SignalStop && w.status().Mode != workflows.ModeStopped {
						t.Errorf("status %+v; want stopped", w.status())
					}
					w.env.CancelWorkflow()
				})
				w.env.ExecuteWorkflow(workflows.Name, workflows.SyncInput{Pair: pair, State: following(0)})
				if !hit || !w.env.IsWorkflowCompleted() || (w.env.GetWorkflowError() == nil) != (how == workflows.SignalRemove) {
					t.Errorf("hit %t, ended %t with %v", hit, w.env.IsWorkflowCompleted(), w.env.GetWorkflowError())
				}
				if n := len(w.history()) - did; n > 3 { // the batch under way, and what was read meanwhile
					t.Errorf("did %d steps more: %v", n, w.history()[did:])
				}
			})
		}
	}
}
