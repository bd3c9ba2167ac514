package replay

import (
	"fmt"
	"testing"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// lives are what pairs live through to need each version of the workflow. Each has
// to come to its end with a worker that does not know the version, too.
var lives = []struct {
	version string
	most    workflow.Version
	prepare func(l *life)
	live    func(l *life)
	ends    bool // by itself
}{
	{version: "clock-put-back", most: 1, prepare: func(l *life) {
		l.roles("r")
		l.in.State.CompareAt = time.Now().Add(1000 * time.Hour) // by a clock that was put back since
	}, live: (*life).untilWell},
	{version: "approval-kept", most: 1, prepare: func(l *life) {
		l.limit = plan.DeleteLimit{Percent: plan.NoDeletes, Objects: 2}
		l.roles("a", "b", "c", "d")
	}, live: liveApproval},
	{version: "broken-writes", most: 2, prepare: func(l *life) {
		l.write.Cookbook("app", "1.0.0", false, map[string]string{"recipes/default.rb": "1"})
	}, live: liveBroken},
	{version: "touched-pointers", most: 1, prepare: func(l *life) {
		l.write.Policy("web", "1111", "1")
		l.write.Pointer("prod", "web", "1111")
	}, live: liveTouched},
	{version: "left-over", most: 1, prepare: func(l *life) {
		l.write.Item("b", "stays", "1")
		l.write.Item("b", "goes", "1")
	}, live: liveLeftOver},
	{version: "unsynced-full", most: 1, prepare: func(l *life) {
		l.in.Options.MaxUnsynced = 3
		l.roles("a", "b", "c", "d", "e")
	}, live: liveFull},
	{version: "waited-writes", most: 1, prepare: func(l *life) { l.roles("late", "old") }, live: liveWaited},
	{version: "once-compares", most: 1, prepare: func(l *life) {
		l.in.Options.MaxUnsynced, l.in.Options.Once = 3, true
		l.roles("a", "b", "c", "d", "e")
		l.replica.Faults().Add(chefserver.Fault{Method: "POST", Path: harness.Path("/roles$"), Count: 5, Effect: refused()})
	}, ends: true},
	{version: "policy-in-use", most: 1, prepare: func(l *life) {
		l.write.Policy("web", "1111", "1")
		l.write.Policy("web", "2222", "2")
		l.write.Pointer("prod", "web", "1111")
	}, live: liveInUse},
	{version: "dropped-parked", most: 1, prepare: func(l *life) {
		l.late = l.fault("PUT", "/roles/real$", refused())
		l.limit, l.extras, l.pageLimit = plan.DeleteLimit{Percent: plan.NoDeletes, Objects: 3}, true, 4
		l.roles("real")
		extra := harness.Write(l.t, l.replica.Client)
		extra.Role("real", "another")
		for i := range 9 {
			extra.Role(fmt.Sprint("extra", i), "1")
		}
	}, live: liveDropped},
	{version: "doubts-full", most: 1, prepare: func(l *life) {
		l.in.Options.MaxUnsynced, l.in.Options.Limits = 1, plan.Limits{Objects: 5}
		for i := range 5 {
			l.write.Cookbook(fmt.Sprint("c", i), "1.0.0", false, map[string]string{"recipes/default.rb": "1"})
		}
	}, live: liveDoubts},
	{version: "last-write", most: 1, prepare: func(l *life) {
		l.in.Options.MaxUnsynced = 3
		l.roles("late", "a", "b", "c", "d")
	}, live: liveLast},
}

// TestFreshLivesReplay lives through what each version of the workflow is about, with
// this code and with what was before that version, and has this code replay it. With
// -record it keeps the histories: those of an older worker are what a pair has behind
// it that ran before the version was there.
func TestFreshLivesReplay(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	c := harness.NewTemporal(t, harness.FastChef(t, chefserver.Options{}).Side()).Temporal(t)
	for _, now := range lives {
		for v := workflow.DefaultVersion; v <= now.most; v++ {
			if v == 0 {
				continue // is none
			}
			t.Run(fmt.Sprintf("%s/%d", now.version, v), func(t *testing.T) {
				l := newLife(t, c, now.version, v, v < now.most)
				now.prepare(l)
				known := versions{}
				if l.old {
					known[now.version] = v
				}
				l.begin(known)
				if !now.ends {
					if l.in.State.CompareAt.IsZero() && !l.extras {
						l.untilWell()
					}
					now.live(l)
					l.signal(workflows.SignalRemove)
				}
				h := history(t, c, l.in.Pair.WorkflowID())
				keep(t, h, "-"+now.version+suffixes[min(now.most-v, 2)])
			})
		}
	}
}

// suffixes name how much less a worker knew: 1 is what was before a version 1.
var suffixes = map[workflow.Version]string{0: "", 1: "-older", 2: "-before"}

// Deletes are approved, cannot be made, and are asked about again by an older worker.
func liveApproval(l *life) {
	l.page(func() {
		for _, name := range []string{"a", "b", "c", "d"} {
			l.must(l.primary.Client.DeleteRole(l.t.Context(), name))
		}
	})
	l.untilMode(workflows.ModeHalted)
	down := l.fault("DELETE", "/roles/", denied())
	l.signal(workflows.SignalApproveDeletes)
	l.untilTrouble()
	down.Remove()
	if l.old {
		l.untilMode(workflows.ModeHalted)
		l.signal(workflows.SignalApproveDeletes)
	}
	l.untilWell()
}

// A cookbook version is written by an Apply that breaks off, and another deleted. Then
// everything is compared, and nobody but the list of unsynced objects knows of it.
func liveBroken(l *life) {
	broken := chefserver.DoneBut(401, `{"error":["Invalid signature"]}`)
	down := l.fault("PUT", "/cookbooks/", broken)
	l.write.Cookbook("app", "2.0.0", false, map[string]string{"recipes/default.rb": "2"})
	l.untilTrouble()
	down.Remove()
	l.compare(2)
	down = l.fault("DELETE", "/cookbooks/", broken)
	l.must(l.primary.Client.DeleteCookbook(l.t.Context(), "app", "1.0.0"))
	l.untilTrouble()
	down.Remove()
	l.compare(3)
}

// A policy revision is to be made anew, for which its group's pointer goes for a
// moment, and that is to be repaired, too.
func liveTouched(l *life) {
	revision, pointer := object.MustRef("/policies/web/revisions/1111"), object.MustRef("/policy_groups/prod/policies/web")
	other := harness.Write(l.t, l.replica.Client)
	l.must(l.replica.Client.DeletePolicyRevision(l.t.Context(), "web", "1111"))
	other.Policy("web", "1111", "another")
	other.Pointer("prod", "web", "1111")
	l.say(workflows.SignalRepair, workflows.Signal{Repair: []object.Change{
		{Action: object.ActionUpdate, Ref: revision}, {Action: object.ActionUpdate, Ref: pointer},
	}})
	l.until("repaired", func(s workflows.Status) bool { return s.Counters.Updated > 0 })
	l.untilWell()
}

// A data bag was to be deleted and is there again, without one of its items, which
// cannot be deleted at first.
func liveLeftOver(l *life) {
	stays := l.fault("DELETE", "/data/b$", refused())
	l.page(func() { l.must(l.primary.Client.DeleteDataBag(l.t.Context(), "b")) })
	l.untilUnsynced(1)
	down := l.fault("DELETE", "/data/b/goes$", denied())
	l.page(func() { l.write.Item("b", "stays", "2") })
	l.untilTrouble()
	stays.Remove()
	down.Remove()
	l.untilWell()
}

// More deletes are refused than there is room to remember.
func liveFull(l *life) {
	stay := l.fault("DELETE", "/roles/", refused())
	l.page(func() {
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			l.must(l.primary.Client.DeleteRole(l.t.Context(), name))
		}
	})
	if l.old {
		l.untilUnsynced(3)
	} else {
		l.untilTrouble()
	}
	stay.Remove()
	l.untilWell()
}

// Everything is compared while a delete waits for a write.
func liveWaited(l *life) {
	late := l.fault("PUT", "/roles/late$", refused())
	l.page(func() {
		l.write.Role("late", "2")
		l.must(l.primary.Client.DeleteRole(l.t.Context(), "old"))
	})
	l.untilUnsynced(2)
	l.signal(workflows.SignalForgetCursor)
	l.untilCompared(2)
	late.Remove()
	l.signal(workflows.SignalSyncNow)
	l.untilWell()
}

// A policy group cannot be moved, and what it uses is deleted.
func liveInUse(l *life) {
	held := l.fault("PUT", "/policy_groups/", refused())
	l.write.Pointer("prod", "web", "2222")
	l.untilUnsynced(1)
	l.must(l.primary.Client.DeletePolicyRevision(l.t.Context(), "web", "1111"))
	l.until("the delete is held, or made", func(s workflows.Status) bool { return s.Unsynced == 2 || l.old && s.Counters.Deleted > 0 })
	held.Remove()
	l.signal(workflows.SignalSyncNow)
	l.untilWell()
}

// The deletes of a full comparison are dropped, and some of them wait for a write.
func liveDropped(l *life) {
	l.untilMode(workflows.ModeHalted)
	l.signal(workflows.SignalDropDeletes)
	l.untilMode(workflows.ModeFollowing)
	l.late.Remove()
	l.signal(workflows.SignalSyncNow)
	l.untilUnsynced(0)
}

// Batches of cookbook versions break off, and the list has no room for another one.
func liveDoubts(l *life) {
	down := []*chefserver.Rule{l.fault("DELETE", "/cookbooks/", denied()), l.fault("PUT", "/cookbooks/n1/", denied())}
	l.page(func() {
		for i := range 5 {
			l.must(l.primary.Client.DeleteCookbook(l.t.Context(), fmt.Sprint("c", i), "1.0.0"))
		}
	})
	l.untilUnsynced(5)
	l.page(func() { l.write.Cookbook("n1", "1.0.0", false, map[string]string{"recipes/default.rb": "1"}) })
	l.untilUnsynced(6)
	l.page(func() {
		l.must(l.primary.Client.DeleteCookbook(l.t.Context(), "n1", "1.0.0"))
		l.write.Cookbook("n2", "1.0.0", false, map[string]string{"recipes/default.rb": "1"})
		for _, r := range down {
			r.Remove()
		}
	})
	l.untilWell()
}

// More deletes wait for a write than there is room to remember.
func liveLast(l *life) {
	late := l.fault("PUT", "/roles/late$", refused())
	l.page(func() {
		l.write.Role("late", "2")
		for _, name := range []string{"a", "b", "c", "d"} {
			l.must(l.primary.Client.DeleteRole(l.t.Context(), name))
		}
	})
	l.untilUnsynced(3)
	late.Remove()
	l.signal(workflows.SignalSyncNow)
	l.untilWell()
}
