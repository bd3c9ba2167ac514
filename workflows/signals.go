package workflows

import (
	"cmp"
	"go.temporal.io/sdk/workflow"
)

// A message is a signal and what it does to the state. The loop is woken after
// each.
type message struct {
	name, about string
	handle      func(r *run, s Signal)
}

// messages are in the order in which signals that arrived together are handled:
// a stop comes after a start, so that in doubt the pair is stopped.
var messages = []message{
	{SignalStart, "Go on from the cursor. Needs no input.", (*run).onStart},
	{SignalStop, "Stop after the batch under way and keep the cursor. Needs no input.", (*run).onStop},
	{SignalSyncNow, "Poll now, contents too, and retry unsynced objects. Needs no input.", (*run).onSyncNow},
	{SignalApproveDeletes, "Let a halted pair delete what it asks to delete. Needs no input.", (*run).onApprove},
	{SignalDropDeletes, "Let a halted pair go on without deleting what it asks about. Needs no input.", (*run).onDrop},
	{SignalRepair, "Try again what a verification found different; sent by it.", (*run).onRepair},
	{SignalVerified, "How a verification ended; sent by it.", (*run).onVerified},
	{SignalForgetCursor, "Compare everything anew. Needs no input.", (*run).onForget},
	{SignalRemove, "End this workflow; the replica keeps its objects. Needs no input.", (*run).onRemove},
}

// listen handles signals as they come, for as long as the workflow runs.
func (r *run) listen(ctx workflow.Context) {
	sel := workflow.NewSelector(ctx)
	for _, m := range messages {
		ch := workflow.GetSignalChannelWithOptions(ctx, m.name, workflow.SignalChannelOptions{Description: m.about})
		sel.AddReceive(ch, func(ch workflow.ReceiveChannel, _ bool) {
			var s Signal
			ch.Receive(ctx, &s)
			m.handle(r, s)
			r.wake()
		})
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for ctx.Err() == nil {
			sel.Select(ctx)
		}
	})
}

// drain handles the signals that have arrived; a run that continues as new
// would otherwise lose them.
func (r *run) drain(ctx workflow.Context) {
	for _, m := range messages {
		ch := workflow.GetSignalChannel(ctx, m.name)
		for {
			var s Signal
			if !ch.ReceiveAsync(&s) {
				break
			}
			m.handle(r, s)
		}
	}
}

// onStop stops the pair, unless a start that waited side by side with this stop
// was sent after it. Of signals that came one after the other the order is known,
// and the senders' clocks may differ.
func (r *run) onStop(s Signal) {
	if s.At.IsZero() || !s.At.Before(r.state.StartedAt) || !r.startHandled.Equal(r.now()) {
		r.state.Stopped, r.state.StopReason, r.state.StoppedAt = true, cmp.Or(s.Reason, r.state.StopReason), s.At
		r.state.ApprovedHalt = "" // whoever stops a pair has thought again
	}
	r.stopHandled = r.now()
}

func (r *run) onStart(s Signal) {
	if s.At.IsZero() || !s.At.Before(r.state.StoppedAt) || !r.stopHandled.Equal(r.now()) {
		r.state.Stopped, r.state.StopReason, r.state.StartedAt = false, "", s.At
	}
	r.startHandled = r.now()
}

func (r *run) onSyncNow(Signal) {
	r.state.Deep = true
	for i := range r.state.Unsynced {
		r.state.Unsynced[i].NextTry = r.now()
	}
}

func (r *run) onApprove(s Signal) {
	if r.meant(s) {
		r.approved = true
	}
}

func (r *run) onDrop(s Signal) {
	if r.meant(s) {
		r.dropped = true
	}
}

// meant reports whether the pair is halted over what an operator has seen.
func (r *run) meant(s Signal) bool {
	return r.state.Halt != nil && (s.Halt == "" || s.Halt == r.state.Halt.ID)
}

func (r *run) onRepair(s Signal) {
	for _, c := range s.Repair {
		r.state.repair(c, r.now(), r.opts)
	}
}

func (r *run) onVerified(s Signal) {
	if s.Verified != nil {
		r.state.Verified = s.Verified
	}
}

func (r *run) onForget(s Signal) {
	r.forget = true
	r.forgetReason = "an operator asked for a full comparison"
	if s.Reason != "" {
		r.forgetReason += ": " + s.Reason
	}
}

func (r *run) onRemove(Signal) { r.removed = true }

// wake ends whatever the loop is waiting for.
func (r *run) wake() {
	if r.interrupt != nil {
		r.interrupt()
		r.interrupt = nil
	}
}
