package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/workflows"
)

const (
	// scheduleMemo marks, in the memo of a schedule, those that are ours to delete.
	scheduleMemo = "chef-sync"

	// catchup is how late a nightly verification may begin because Temporal was
	// down at its time.
	catchup = time.Hour

	// scheduleTimeout bounds what is done about schedules at the start.
	scheduleTimeout = 30 * time.Second
)

// schedule makes the Temporal Schedules of this replica what the configuration
// says about verify_at: one for each pair that has it, and no other. What cannot
// be done is logged and stops nobody: replication does not need it, and the next
// start tries again. A schedule that somebody paused stays paused.
func (d *Daemon) schedule(ctx context.Context, cfg *config.Config) {
	ctx, cancel := context.WithTimeout(ctx, scheduleTimeout)
	defer cancel()
	const hint = "may ec-syncd list, create, update and delete schedules in this namespace? " +
		"Until then: chef-sync-ctl verify ORG, from cron"
	schedules := d.client.ScheduleClient()
	var wanted []string
	for _, p := range cfg.Pairs {
		at := cfg.Settings(p).VerifyAt
		if at == "" {
			continue
		}
		wanted = append(wanted, workflows.VerifyWorkflowID(p))
		if err := putSchedule(ctx, schedules, p, at); err != nil {
			d.log.WarnContext(ctx, "a nightly verification is not scheduled", "org", p.Destination, "err", err, "hint", hint)
		}
	}
	if err := d.deleteSchedules(ctx, schedules, cfg.Name, wanted); err != nil {
		d.log.WarnContext(ctx, "old schedules of nightly verifications may be left", "err", err, "hint", hint)
	}
}

// putSchedule creates or updates the schedule of a pair's verification.
func putSchedule(ctx context.Context, schedules client.ScheduleClient, p object.Pair, at string) error {
	o, err := scheduleOptions(p, at)
	if err != nil {
		return err
	}
	_, err = schedules.Create(ctx, o)
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return schedules.GetHandle(ctx, o.ID).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			s.Spec, s.Action = &o.Spec, o.Action
			s.Policy.Overlap, s.Policy.CatchupWindow = o.Overlap, o.CatchupWindow
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
}

// scheduleOptions are those of the schedule that verifies a pair every day; at is
// "HH:MM" in UTC. Temporal appends the time to the ID of each workflow that it
// starts.
func scheduleOptions(p object.Pair, at string) (client.ScheduleOptions, error) {
	when, err := time.Parse("15:04", at)
	if err != nil {
		return client.ScheduleOptions{}, fmt.Errorf("verify_at: %w", err)
	}
	start := workflows.VerifyStartOptions(p)
	return client.ScheduleOptions{
		ID: workflows.VerifyWorkflowID(p),
		Spec: client.ScheduleSpec{
			Calendars: []client.ScheduleCalendarSpec{{
				Hour:   []client.ScheduleRange{{Start: when.Hour()}},
				Minute: []client.ScheduleRange{{Start: when.Minute()}},
			}},
			TimeZoneName: "UTC",
		},
		Action: &client.ScheduleWorkflowAction{
			ID: start.ID, TaskQueue: start.TaskQueue, StaticSummary: start.StaticSummary,
			Workflow: workflows.VerifyName, Args: []any{workflows.VerifyInput{Pair: p}},
		},
		Overlap:       enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: catchup,
		Note:          "verify_at of " + p.String() + " in chef-sync.rb",
		Memo:          map[string]any{scheduleMemo: p.Replica},
	}, nil
}

// deleteSchedules deletes the replica's schedules that are not wanted.
func (d *Daemon) deleteSchedules(ctx context.Context, schedules client.ScheduleClient, replica string, wanted []string) error {
	list, err := schedules.List(ctx, client.ScheduleListOptions{})
	if err != nil {
		return fmt.Errorf("list schedules: %w", err)
	}
	var errs []error
	for list.HasNext() {
		s, err := list.Next()
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("list schedules: %w", err))...)
		}
		_, ours := s.Memo.GetFields()[scheduleMemo]
		prefix := workflows.VerifyWorkflowID(object.Pair{Replica: replica})
		if !ours || !strings.HasPrefix(s.ID, prefix) || slices.Contains(wanted, s.ID) {
			continue
		}
		if err := schedules.GetHandle(ctx, s.ID).Delete(ctx); err != nil {
			errs = append(errs, fmt.Errorf("delete schedule %s: %w", s.ID, err))
			continue
		}
		d.log.InfoContext(ctx, "nightly verification no longer scheduled", "schedule", s.ID)
	}
	return errors.Join(errs...)
}
