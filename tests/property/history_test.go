package property

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/workflows"
)

// history is all that happens, as it is drawn.
type history struct {
	Listing      bool // the feed; else updated_since
	DeleteExtras bool
	Serial       bool // one request at a time, so that shrinking repeats itself
	SmallPages   bool
	Strict       bool // two deletes of a kind make the pair ask
	Drop         bool // a halted pair is told to go on without, at the end
	Calm         bool // nothing fails, and the primary rests while the worker works

	Before, Extras []op // what the sides hold in the beginning
	Steps          []step
}

func (h history) parallel() int {
	if h.Serial {
		return 1
	}
	return 4
}

func (h history) pageLimit() int {
	if h.SmallPages && !h.Calm {
		return 3
	}
	return 1000
}

func (h history) limit() plan.DeleteLimit {
	if h.Strict {
		return plan.DeleteLimit{Percent: plan.NoDeletes, Objects: 2}
	}
	return plan.DeleteLimit{}
}

// What a step is.
const (
	doOps     = iota // the primary's users
	doMiddle         // the same, in the middle of the worker's work
	doFault          // one of the servers
	doCrash          // of an activity
	doRestart        // of the worker, with or without its disk
	doSignal         // an operator
	doRenew          // the workflow continues as new
	steps
)

// step is one thing that happens, some time after the one before.
type step struct {
	Gap, What, A, B, C int
	Ops                []op
}

func drawOp(t *rapid.T) op {
	n := func(label string) int { return rapid.IntRange(0, 11).Draw(t, label) }
	return op{What: rapid.IntRange(0, len(ops)-1).Draw(t, "what"), A: n("a"), B: n("b"), C: n("c")}
}

func drawHistory(t *rapid.T) history {
	yes := func(label string) bool { return rapid.Bool().Draw(t, label) }
	opsOf := rapid.Custom(drawOp)
	h := history{
		Listing: yes("listing"), DeleteExtras: yes("delete extras"), Serial: yes("serial"), SmallPages: yes("small pages"),
		Strict: yes("strict"), Drop: yes("drop"), Calm: rapid.IntRange(0, 3).Draw(t, "calm") == 3,
		Before: rapid.SliceOfN(opsOf, 0, 20).Draw(t, "before"),
		Extras: rapid.SliceOfN(opsOf, 0, 4).Draw(t, "extras"),
	}
	h.Steps = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		n := func(label string) int { return rapid.IntRange(0, 11).Draw(t, label) }
		s := step{Gap: rapid.IntRange(0, 25).Draw(t, "gap"), What: rapid.IntRange(0, steps-1).Draw(t, "step"), A: n("a"), B: n("b"), C: n("c")}
		if h.Calm && s.What != doSignal && s.What != doRenew {
			s.What = doOps
		}
		if s.What == doOps || s.What == doMiddle {
			s.Ops = rapid.SliceOfN(opsOf, 1, 6).Draw(t, "ops")
		}
		return s
	}), 0, 25).Draw(t, "steps")
	return h
}

// effects are what faults do.
var effects = []struct {
	name   string
	effect chefserver.Effect
	method string
}{
	{"cut before", chefserver.CutBefore(), ""},
	{"cut after", chefserver.CutAfter(), ""},
	{"done but 500", chefserver.DoneBut(500, `{"error":["internal service error"]}`), ""},
	{"500", chefserver.Status(500, `{"error":["internal service error"]}`), ""},
	{"503", chefserver.RetryAfter(503, 0), ""},
	{"401", chefserver.Status(401, `{"error":["Failed to authenticate"]}`), ""},
	{"403", chefserver.Forbidden("update"), ""},
	{"404", chefserver.Status(404, `{"error":["not found"]}`), ""},
	{"409", chefserver.Status(409, `{"error":["already exists"]}`), "PUT"},
	{"400", chefserver.Status(400, `{"error":["bad"]}`), "PUT"},
	{"HTML", chefserver.HTMLPage(), ""},
	{"half", chefserver.HalfBody(), "GET"},
}

var places = []string{
	"^/", "/roles", "/data", "/cookbooks/", "/policies", "/policy_groups", "^/bookshelf", "/sandboxes", "/cookbook_artifacts/", "/environments",
}

// fault is the rule of a step.
func (s step) fault() (f chefserver.Fault, name string) {
	e, place := effects[s.A%len(effects)], places[s.B%len(places)]
	if e.name == "404" && place == "/policies" {
		place = "/roles"
	}
	f = chefserver.Fault{Effect: e.effect, Method: e.method, Path: regexp.MustCompile(place), Skip: s.C % 3, Every: 1 + s.C%2, Count: 1 + s.C*2}
	return f, fmt.Sprintf("%s at %s, %d times", e.name, place, f.Count)
}

// signals are what operators say.
var signals = []string{
	workflows.SignalStop, workflows.SignalStart, workflows.SignalSyncNow, workflows.SignalForgetCursor,
	workflows.SignalApproveDeletes, workflows.SignalDropDeletes, workflows.SignalStart, workflows.SignalSyncNow,
}

func (s step) gap() time.Duration { return time.Duration(s.Gap) * time.Second }

func (s step) String() string {
	var said []string
	for _, o := range s.Ops {
		said = append(said, o.String())
	}
	switch s.What {
	case doOps:
		return strings.Join(said, " ")
	case doMiddle:
		return fmt.Sprintf("after %d requests: %s", s.A*3+1, strings.Join(said, " "))
	case doFault:
		_, name := s.fault()
		return fmt.Sprintf("fault of the %s: %s", []string{"primary", "replica"}[s.side()], name)
	case doCrash:
		return fmt.Sprintf("crash of activity +%d (%d)", s.A%4+1, s.B)
	case doRestart:
		return fmt.Sprintf("restart, disk lost: %t", s.A%2 == 0)
	case doSignal:
		return signals[s.A%len(signals)]
	}
	return "continue as new"
}

// side is which server a fault is of.
func (s step) side() int { return s.Gap % 2 }
