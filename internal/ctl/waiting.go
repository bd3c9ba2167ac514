package ctl

import (
	"context"
	"errors"
	"time"
)

// errTimeout says that --timeout has passed.
var errTimeout = errors.New("timeout")

const (
	// waitPoll is how often a command that waits looks.
	waitPoll = 500 * time.Millisecond

	// firstPatience is how long nobody may answer at first, patience later, when an
	// ec-syncd that answered may be restarting.
	firstPatience = 10 * time.Second
	patience      = 2 * time.Minute
)

// waiting is how long a command waits, for the end of something and for answers.
type waiting struct {
	k        *call
	most     time.Duration // 0 = for ever
	end      time.Time     // zero = never
	answered bool          // ever
	silent   time.Time     // since when nobody answers; zero = somebody does
}

func (k *call) waiting(most time.Duration) *waiting {
	w := &waiting{k: k, most: most}
	if most > 0 {
		w.end = k.app.Now().Add(most)
	}
	return w
}

// step takes the outcome of one look and waits for the next. It returns
// errTimeout when the time is over, the error of ctx, and what is wrong if nobody
// has answered for too long.
func (w *waiting) step(ctx context.Context, err error, tried string, m *meter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := w.k.app.Now()
	if err == nil {
		w.answered, w.silent = true, time.Time{}
	} else if err := w.unanswered(ctx, err, tried, now, m); err != nil {
		return err
	}
	if !w.end.IsZero() && !now.Before(w.end) {
		return errTimeout
	}
	return w.k.app.Sleep(ctx, waitPoll)
}

// unanswered returns nil while an answer may still come.
func (w *waiting) unanswered(ctx context.Context, err error, tried string, now time.Time, m *meter) error {
	why := w.k.failed(tried, err)
	var f *failure
	if errors.Is(err, ErrNoAnswer) {
		say, hint := w.k.worker(ctx).trouble()
		why = fail(ExitUnreachable, hint, "%s: %s: %s", w.k.command, tried, say)
	} else if errors.Is(err, ErrNotRunning) || !errors.As(why, &f) || f.code != ExitUnreachable {
		return why
	}
	if w.silent.IsZero() {
		w.silent = now
	}
	limit := firstPatience
	if w.answered {
		limit = patience
		m.say("", "no answer; waiting for one")
	}
	if now.Sub(w.silent) >= limit {
		return why
	}
	return nil
}
