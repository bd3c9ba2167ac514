package ctl

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/workflows"
)

// entry is one thing that a workflow's history tells of.
type entry struct {
	Time  time.Time  `json:"time"`
	Level slog.Level `json:"level"`
	What  string     `json:"what"`           // a word or two: page, applied, signal stop, …
	Text  string     `json:"text,omitempty"` // in words
	RunID string     `json:"run_id"`
}

// reader makes entries of the events of one run.
type reader struct {
	runID   string
	began   map[int64]string // types of activities by their scheduled event
	mode    string
	entries []entry
}

// readHistory returns what the events of a run tell an operator, in their order.
func readHistory(runID string, events []*history.HistoryEvent) []entry {
	r := &reader{runID: runID, began: map[int64]string{}}
	for _, e := range events {
		if !r.activity(e) {
			r.workflow(e)
		}
	}
	return r.entries
}

// add adds an entry with the time of an event.
func (r *reader) add(e *history.HistoryEvent, level slog.Level, what, format string, args ...any) {
	r.entries = append(r.entries, entry{
		Time: when(e.GetEventTime()), Level: level, What: what, Text: fmt.Sprintf(format, args...), RunID: r.runID,
	})
}

// decoded reads a payload; what cannot be read, of another release or encrypted, is
// the zero value.
func decoded[T any](p *common.Payloads) T {
	var v, zero T
	if p == nil || converter.GetDefaultDataConverter().FromPayloads(p, &v) != nil {
		return zero
	}
	return v
}

// workflow reads an event of the workflow itself.
func (r *reader) workflow(e *history.HistoryEvent) {
	switch e.GetEventType() {
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		a := e.GetWorkflowExecutionStartedEventAttributes()
		if before := a.GetContinuedExecutionRunId(); before != "" {
			r.add(e, slog.LevelInfo, "started", "goes on from run %s", before)
			return
		}
		r.add(e, slog.LevelInfo, "started", "%s by %s", decoded[workflows.SyncInput](a.GetInput()).Pair, a.GetIdentity())
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		a := e.GetWorkflowExecutionSignaledEventAttributes()
		r.signal(e, a.GetSignalName(), a.GetIdentity(), decoded[workflows.Signal](a.GetInput()))
	case enums.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		fields := e.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields()
		var mode string
		if converter.GetDefaultDataConverter().FromPayload(fields["ChefSyncMode"], &mode) == nil && mode != r.mode {
			r.mode = mode
			r.add(e, modeLevel(workflows.Mode(mode)), mode, "")
		}
	case enums.EVENT_TYPE_TIMER_STARTED:
		a := e.GetTimerStartedEventAttributes()
		var why string
		_ = converter.GetDefaultDataConverter().FromPayload(e.GetUserMetadata().GetSummary(), &why) // none: no reason
		r.add(e, slog.LevelInfo, "wait", "%s: %s", span(a.GetStartToFireTimeout().AsDuration()), why)
	case enums.EVENT_TYPE_WORKFLOW_TASK_FAILED:
		a := e.GetWorkflowTaskFailedEventAttributes()
		r.add(e, slog.LevelError, "workflow task failed", "%s", failureText(a.GetFailure()))
	default:
		r.end(e)
	}
}

func modeLevel(m workflows.Mode) slog.Level {
	if m == workflows.ModeHalted || m == workflows.ModeWaiting {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// end reads an event that ends a run.
func (r *reader) end(e *history.HistoryEvent) {
	switch e.GetEventType() {
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		r.add(e, slog.LevelInfo, "continued", "as run %s", e.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId())
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		r.add(e, slog.LevelInfo, "ended", "")
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		r.add(e, slog.LevelError, "ended", "failed: %s", failureText(e.GetWorkflowExecutionFailedEventAttributes().GetFailure()))
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		a := e.GetWorkflowExecutionTerminatedEventAttributes()
		r.add(e, slog.LevelError, "ended", "terminated by %s: %s", a.GetIdentity(), a.GetReason())
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		r.add(e, slog.LevelWarn, "ended", "cancelled")
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		r.add(e, slog.LevelError, "ended", "timed out")
	}
}

func (r *reader) signal(e *history.HistoryEvent, name, by string, s workflows.Signal) {
	var parts []string
	if s.Reason != "" {
		parts = append(parts, s.Reason)
	}
	if n := len(s.Repair); n > 0 {
		parts = append(parts, fmt.Sprintf("%d objects", n))
	}
	if s.Verified != nil {
		parts = append(parts, s.Verified.String())
	}
	if by != "" {
		parts = append(parts, "by "+by)
	}
	r.add(e, slog.LevelInfo, "signal "+name, "%s", strings.Join(parts, ", "))
}

// activity reads an event of an activity; false if it is none.
func (r *reader) activity(e *history.HistoryEvent) bool {
	switch e.GetEventType() {
	case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		r.began[e.GetEventId()] = e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
	case enums.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		a := e.GetActivityTaskStartedEventAttributes()
		if f := a.GetLastFailure(); f != nil && f.GetApplicationFailureInfo().GetType() != activities.TypeUpToDate {
			r.add(e, slog.LevelWarn, r.began[a.GetScheduledEventId()]+" tried again", "attempt %d: %s", a.GetAttempt(), failureText(f))
		}
	case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := e.GetActivityTaskCompletedEventAttributes()
		r.completed(e, r.began[a.GetScheduledEventId()], a.GetResult())
	case enums.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := e.GetActivityTaskFailedEventAttributes()
		if a.GetFailure().GetApplicationFailureInfo().GetType() == activities.TypeUpToDate {
			break // a poll that a signal or its successor ended
		}
		r.add(e, slog.LevelError, r.began[a.GetScheduledEventId()]+" failed", "%s", failureText(a.GetFailure()))
	case enums.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		a := e.GetActivityTaskTimedOutEventAttributes()
		r.add(e, slog.LevelWarn, r.began[a.GetScheduledEventId()]+" timed out", "%s", failureText(a.GetFailure()))
	case enums.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED, enums.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
	default:
		return false
	}
	return true
}

// completed reads the result of an activity.
func (r *reader) completed(e *history.HistoryEvent, name string, result *common.Payloads) {
	switch name {
	case activities.NamePoll:
		r.polled(e, decoded[activities.PollResult](result))
	case activities.NameFetch:
		f := decoded[activities.FetchResult](result)
		r.add(e, failedLevel(f.Failed), "fetched", "%s", counts(
			outcome{f.Staged, "to write"}, outcome{f.Equal, "equal"}, outcome{len(f.Gone), "gone"}, outcome{f.Files, "files"},
			outcome{len(f.Failed), "failed"})+exampleOf(f.Failed))
	case activities.NameApply:
		a := decoded[activities.ApplyResult](result)
		r.add(e, failedLevel(a.Failed), "applied", "%s", counts(
			outcome{a.Created, "created"}, outcome{a.Updated, "updated"}, outcome{a.Deleted, "deleted"}, outcome{a.Equal, "equal"},
			outcome{a.Files, "files"}, outcome{len(a.Failed), "failed"})+exampleOf(a.Failed))
	default:
		r.add(e, slog.LevelInfo, name, "done")
	}
}

// polled reads a page.
func (r *reader) polled(e *history.HistoryEvent, p activities.PollResult) {
	switch {
	case p.Trouble != nil:
		text := p.Trouble.Message
		if p.Trouble.Hint != "" {
			text += "; " + p.Trouble.Hint
		}
		r.add(e, slog.LevelWarn, "trouble", "%s", text)
	case p.Reset != "":
		r.add(e, slog.LevelWarn, "full comparison", "%s", p.Reset)
	case p.AtHead:
		r.add(e, slog.LevelInfo, "page", "the end of the feed: %s", p.Cursor)
	case p.UpToDate:
		r.add(e, slog.LevelInfo, "page", "nothing new at %s", p.Cursor)
	case p.Survey != nil:
		r.add(e, slog.LevelInfo, "page", "%d changes, %d of %d of a full comparison", len(p.Changes), p.Survey.Offset, p.Survey.Total)
	case p.Behind > 0:
		r.add(e, slog.LevelInfo, "page", "%s up to %s, %d behind", count(len(p.Changes), "change"), p.Cursor, p.Behind)
	default:
		r.add(e, slog.LevelInfo, "page", "%s up to %s", count(len(p.Changes), "change"), p.Cursor)
	}
}

func failedLevel(failed []replicate.Failure) slog.Level {
	if len(failed) > 0 {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// exampleOf is the first of what failed, as an example.
func exampleOf(failed []replicate.Failure) string {
	if len(failed) == 0 {
		return ""
	}
	return "; " + failed[0].Ref.String() + ": " + failed[0].Reason
}

// failureText is a failure with what caused it.
func failureText(f *failurepb.Failure) string {
	var parts []string
	for ; f != nil; f = f.GetCause() {
		parts = append(parts, f.GetMessage())
	}
	return strings.Join(parts, ": ")
}

type outcome struct {
	n    int
	what string
}

// counts are those that are not zero, in words.
func counts(all ...outcome) string {
	var parts []string
	for _, c := range all {
		if c.n != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}
