package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"

	"github.com/chef-sync/chef-sync/internal/object"
)

// historyTimeout bounds the reading of one run's history, which may have megabytes.
const historyTimeout = time.Minute

// History reads the events of a run.
func (s *sdk) History(ctx context.Context, workflowID, runID string) ([]*history.HistoryEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	it := s.client.GetWorkflowHistory(ctx, workflowID, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var out []*history.HistoryEvent
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return nil, notRunning(err)
		}
		out = append(out, e)
	}
	return out, nil
}

// showHistory is sync-log --history.
func showHistory(ctx context.Context, k *call, p object.Pair) error {
	n, filter, err := k.filter()
	if err != nil {
		return err
	}
	runs := k.flags.Int(flagRuns)
	if runs < 1 {
		return unusable(k.command, "--%s %d: a number of runs, from 1 on", flagRuns, runs)
	}
	all, err := k.runs(ctx, p, runs, filter.Since)
	if err != nil {
		return err
	}
	entries := []entry{} // [] and not null in JSON
	for _, e := range all {
		if e.Level >= filter.Level && !e.Time.Before(filter.Since) {
			entries = append(entries, e)
		}
	}
	entries = entries[max(0, len(entries)-n):]
	if k.print.json {
		return k.print.document(entries)
	}
	if len(entries) == 0 {
		fmt.Fprintf(k.print.out, "the history of %s has nothing like that\n", cell(p.String()))
		return nil
	}
	var cells [][]string
	for _, e := range entries {
		cells = append(cells, []string{
			e.Time.UTC().Format("2006-01-02 15:04:05"), k.print.paint(levelColor(e.Level), fmt.Sprintf("%-5s", e.Level)), cell(e.What), cell(e.Text),
		})
	}
	k.print.rows([]string{"TIME", "LEVEL", "WHAT", "DETAILS"}, cells)
	return nil
}

// runs reads the last runs of a pair's workflow, the newest at the end. It reads none
// that ended before since.
func (k *call) runs(ctx context.Context, p object.Pair, runs int, since time.Time) ([]entry, error) {
	var out []entry
	runID := ""
	for i := range runs {
		events, err := k.temporal.History(ctx, p.WorkflowID(), runID)
		switch {
		case errors.Is(err, ErrNotRunning) && i > 0:
			return out, nil // its retention is over
		case errors.Is(err, ErrNotRunning):
			return nil, k.notRunning(p)
		case err != nil:
			return nil, k.failed("read the history of "+p.WorkflowID(), err)
		case len(events) == 0:
			return out, nil
		}
		first := events[0].GetWorkflowExecutionStartedEventAttributes()
		out = slices.Concat(readHistory(first.GetOriginalExecutionRunId(), events), out)
		runID = first.GetContinuedExecutionRunId()
		if runID == "" || when(events[0].GetEventTime()).Before(since) {
			return out, nil
		}
	}
	return out, nil
}
