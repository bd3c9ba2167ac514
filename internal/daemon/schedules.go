package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

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

	// scheduleTimeout bounds what is done about schedules at once, and scheduleEach is
	// added for each pair.
	scheduleTimeout = 30 * time.Second
	scheduleEach    = 100 * time.Millisecond

	// scheduleFirst is the time to the second attempt, scheduleMost that between later
	// ones.
	scheduleFirst = 20 * time.Second
	scheduleMost  = 10 * time.Minute

	// schedulesAtOnce is how many are put side by side.
	schedulesAtOnce = 4
)

// scheduler makes the Temporal Schedules of this replica what the configuration says
// about verify_at: one for each pair that has it, and no other. Those that are right
// already are left alone. What cannot be done is logged and stops nobody, as replication
// does not need it. A schedule that somebody paused stays paused.
type scheduler struct {
	schedules client.ScheduleClient
	cfg       *config.Config
	log       *slog.Logger

	first, most time.Duration // between two attempts

	done bool   // all of it is as it should be
	told string // what the log was last told
}

func newScheduler(schedules client.ScheduleClient, cfg *config.Config, log *slog.Logger) *scheduler {
	return &scheduler{schedules: schedules, cfg: cfg, log: log, first: scheduleFirst, most: scheduleMost}
}

// retry tries again, ever more rarely, until all is done or ctx ends: the namespace may
// have been made after ec-syncd was started, and a right been given.
func (s *scheduler) retry(ctx context.Context) {
	for wait := s.first; !s.done; wait = min(2*wait, s.most) {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
			s.put(ctx)
		}
	}
}

// put does what is left to do. What is wrong is logged once, until it is something else.
func (s *scheduler) put(ctx context.Context) {
	pctx, cancel := context.WithTimeout(ctx, scheduleTimeout+time.Duration(len(s.cfg.Pairs))*scheduleEach)
	defer cancel()
	have, listed := listSchedules(pctx, s.schedules, s.cfg.Name) // what is not seen is put once more
	wanted, missing := s.putAll(pctx, have)
	left := errors.Join(listed, s.deleteAll(pctx, have, wanted))
	if ctx.Err() != nil {
		return
	}
	s.done = missing == nil && left == nil
	was := s.told
	if s.told = fmt.Sprint(missing, left); s.told == was {
		return
	}
	const hint = "may ec-syncd list, create, update and delete schedules in this namespace? " +
		"It tries again by itself; until then: chef-sync-ctl verify ORG, from cron"
	switch {
	case missing != nil:
		s.log.WarnContext(ctx, "nightly verifications are not scheduled", "err", missing, "hint", hint)
	case left != nil:
		s.log.WarnContext(ctx, "old schedules of nightly verifications may be left", "err", left, "hint", hint)
	case was != "":
		s.log.InfoContext(ctx, "nightly verifications are scheduled now")
	}
}

// putAll creates or updates the schedules that are not right, and returns the IDs of all
// that there should be.
func (s *scheduler) putAll(ctx context.Context, have map[string]*client.ScheduleListEntry) (wanted map[string]bool, err error) {
	wanted = map[string]bool{}
	errs := make([]error, len(s.cfg.Pairs))
	var g errgroup.Group
	g.SetLimit(schedulesAtOnce)
	for i, p := range s.cfg.Pairs {
		at := s.cfg.Settings(p).VerifyAt
		if at == "" {
			continue
		}
		id := workflows.VerifyWorkflowID(p)
		wanted[id] = true
		if isSchedule(have[id], p, at) {
			continue
		}
		g.Go(func() error {
			if err := putSchedule(ctx, s.schedules, p, at); err != nil {
				errs[i] = fmt.Errorf("%s: %w", p.Destination, err)
			}
			return nil
		})
	}
	_ = g.Wait()
	return wanted, errors.Join(errs...)
}

// listSchedules returns the replica's schedules that are ours, by ID; with an error,
// those that it has seen before.
func listSchedules(ctx context.Context, schedules client.ScheduleClient, replica string) (map[string]*client.ScheduleListEntry, error) {
	out := map[string]*client.ScheduleListEntry{}
	list, err := schedules.List(ctx, client.ScheduleListOptions{})
	if err != nil {
		return out, fmt.Errorf("list schedules: %w", err)
	}
	prefix := workflows.VerifyWorkflowID(object.Pair{Replica: replica})
	for list.HasNext() {
		s, err := list.Next()
		if err != nil {
			return out, fmt.Errorf("list schedules: %w", err)
		}
		if _, ours := s.Memo.GetFields()[scheduleMemo]; ours && strings.HasPrefix(s.ID, prefix) {
			out[s.ID] = s
		}
	}
	return out, nil
}

// isSchedule reports whether a schedule, nil for none, verifies a pair at a time. Its
// note says which organizations it reads; somebody who paused it has perhaps put
// another one there.
func isSchedule(s *client.ScheduleListEntry, p object.Pair, at string) bool {
	want, err := scheduleOptions(p, at)
	if err != nil || s == nil || s.Spec == nil || s.Note != want.Note || len(s.Spec.Calendars) != 1 {
		return false
	}
	is, only := s.Spec.Calendars[0], func(in []client.ScheduleRange, want int) bool {
		return len(in) == 1 && in[0].Start == want && in[0].End <= want
	}
	c := want.Spec.Calendars[0]
	return only(is.Hour, c.Hour[0].Start) && only(is.Minute, c.Minute[0].Start)
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
			if s.State != nil && !s.State.Paused { // or else it says why
				s.State.Note = o.Note
			}
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

// deleteAll deletes those schedules that are not wanted.
func (s *scheduler) deleteAll(ctx context.Context, have map[string]*client.ScheduleListEntry, wanted map[string]bool) error {
	var errs []error
	for id := range have {
		if wanted[id] {
			continue
		}
		if err := s.schedules.GetHandle(ctx, id).Delete(ctx); err != nil {
			errs = append(errs, fmt.Errorf("delete schedule %s: %w", id, err))
			continue
		}
		s.log.InfoContext(ctx, "nightly verification no longer scheduled", "schedule", id)
	}
	return errors.Join(errs...)
}
