package activities

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// Poll returns the next page of changes of a pair as soon as there is one.
//
// Waiting costs no history: a Poll that finds nothing new ends with an error of
// type [TypeUpToDate] that carries the time of the next attempt, and the
// Temporal server starts it again then. The Web UI shows the error's text
// ("up to date at updated_since 42; next poll in 10s") and that time. The
// attempt number therefore says nothing; failures are counted in the heartbeat.
//
// A poll that fails returns a [Trouble] once, so that the workflow can show it,
// and from then on waits (type [TypeWaiting]) until both servers answer again.
func (a *Activities) Poll(ctx context.Context, in PollInput) (PollResult, error) {
	p := &poll{a: a, set: a.Settings.orDefault(), in: in}
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &p.beat) // unreadable: start counting anew
	}
	p.shown.Store(p.beat)
	defer beatingEvery(ctx, p.beatWithin(activity.GetInfo(ctx).HeartbeatTimeout), p.conn.Load, func() any { return p.shown.Load() })()
	wctx, release := whileWorking(ctx)
	defer release(nil)
	p.release = release
	// A poll that was cancelled hears of it many seconds later. It must not ask
	// the feed any more when its successor does: see [feed.Feed].
	if was, ok := a.polls.Swap(in.Pair, p); ok {
		was.(*poll).release(errSucceeded)
	}
	defer a.polls.CompareAndDelete(in.Pair, p)
	p.end = time.Now().Add(p.set.PollHold)
	p.first = in.Deep && p.beat.Polls == 0 && (p.set.PollHold > 0 || p.set.PollWait > 0)
	for {
		out, err := p.once(wctx)
		delay := jitter(p.set.PollInterval)
		var rest *restError
		switch {
		case ctx.Err() != nil:
			return PollResult{}, ctx.Err()
		case err == nil && out != nil:
			out.Queue = a.queue(out.From, out.Cursor)
			if p.set.PollBeat > beatEvery {
				out.Beat = p.set.PollBeat
			}
			return *out, nil
		case wctx.Err() != nil:
			return PollResult{}, p.again(ctx, TypeUpToDate, delay, context.Cause(wctx).Error())
		case errors.As(err, &rest):
			return PollResult{}, p.rests(ctx, rest)
		case err != nil:
			return p.failed(ctx, err)
		case in.Once:
			return PollResult{Cursor: in.Cursor, Identities: in.Identities, UpToDate: true, Queue: a.queue(in.Survey, in.Cursor)}, nil
		}
		next := "next poll in " + delay.Round(time.Second/10).String()
		if p.held { // the feed has done the waiting
			delay, next = heldDelay, "the primary says what comes next"
		}
		if p.first && in.Cursor.Epoch != "" { // a feed that can wait
			delay, next = heldDelay, "changes are waited for"
		}
		if p.first || time.Now().Add(delay).After(p.end) {
			return PollResult{}, p.again(ctx, TypeUpToDate, delay, fmt.Sprintf("up to date at %s; %s", in.Cursor, next))
		}
		_ = sleep(wctx, delay) // whatever ends it ends the next poll, too
	}
}

// queue is where the page after this one has to be asked for.
func (a *Activities) queue(survey *SurveyPlace, cursor object.Cursor) string {
	if Listed(survey, cursor) {
		return a.HostQueue
	}
	return ""
}

// Listed reports whether a place is one in a list that stands in staging: a full
// comparison's pages are handed out from one, and a listing feed's cursor names one.
func Listed(survey *SurveyPlace, cursor object.Cursor) bool {
	return survey != nil || cursor.Feed == feed.NameListing
}

// beatWithin is how often an attempt reports: as the setting says, and at least
// thrice within the time after which Temporal would give it to another worker.
func (p *poll) beatWithin(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return beatEvery
	}
	return max(min(p.set.PollBeat, timeout/3), time.Second)
}

// heldDelay is the pause between two polls of a feed that waits by itself.
const heldDelay = 10 * time.Millisecond

// maxWait bounds how long a feed may keep one request, so that a proxy does not
// take it for dead, and the heartbeat shows when the primary last answered.
const maxWait = 20 * time.Second

// The reasons why a Poll ends early. Neither is a failure.
var (
	errSucceeded = errors.New("another poll of this pair has begun")
	errStopping  = errors.New("this worker is stopping; another one goes on")
)

// whileWorking returns a context that ends with ctx, when the worker stops, or
// when release is called.
func whileWorking(ctx context.Context) (_ context.Context, release context.CancelCauseFunc) {
	wctx, release := context.WithCancelCause(ctx)
	stop := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-stop:
			release(errStopping)
		case <-wctx.Done():
		}
	}()
	return wctx, release
}

// poll is the state of one Poll.
type poll struct {
	a     *Activities
	set   Settings
	in    PollInput
	beat  Beat
	shown shownBeat
	conn  atomic.Pointer[Connection] // nil before it is known

	// first says that somebody has just told the pair to look, and that this attempt is
	// not to wait: that nothing is new is told at once. The next attempt waits. Nobody
	// else is served so, for Temporal begins the next attempt up to a second later.
	first bool

	release context.CancelCauseFunc // ends it early
	end     time.Time               // of the hold
	held    bool                    // the feed has waited for changes before it answered
}

// once polls once. It returns nil and nil if there is nothing new.
func (p *poll) once(ctx context.Context) (*PollResult, error) {
	defer measure(ctx, "poll")()
	c, err := p.a.connect(ctx, p.in.Pair)
	p.conn.Store(c)
	if err != nil {
		return nil, err
	}
	if p.in.Trouble != "" {
		if err := bothAnswer(ctx, c); err != nil {
			return nil, err
		}
	}
	var out *PollResult
	switch {
	case p.in.Survey == nil && p.in.Cursor.IsZero() && p.in.FromHead:
		out, err = atHead(ctx, c)
	case p.in.Survey != nil || p.in.Cursor.IsZero():
		out, err = p.surveyPage(ctx, c)
	default:
		out, err = p.feedPage(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	p.beat = Beat{Polls: p.beat.Polls + 1, LastPoll: time.Now().UTC(), Checked: p.beat.Checked}
	p.shown.Store(p.beat)
	return out, nil
}

// bothAnswer makes sure that a trouble is over on both sides.
func bothAnswer(ctx context.Context, c *Connection) error {
	if _, err := c.Engine.Identities(ctx); err != nil {
		return err
	}
	for _, side := range []*chef.Client{c.Engine.Primary, c.Engine.Replica} {
		if _, err := side.ListEnvironments(ctx); err != nil {
			return err
		}
	}
	return nil
}

// feedPage asks the feed. The result is nil if nothing is new and the workflow
// need not hear of anything else.
func (p *poll) feedPage(ctx context.Context, c *Connection) (*PollResult, error) {
	wait := p.wait()
	asked := time.Now()
	page, err := c.Feed.Next(ctx, p.in.Cursor, feed.NextOptions{Limit: p.set.PageLimit, Deep: p.in.Deep, Wait: wait})
	p.held = wait > 0 && time.Since(asked) > wait/2 // a server that knows nothing of it answers at once
	if errors.Is(err, feed.ErrCursorLost) {
		count(ctx, MetricLost, map[string]string{TagOrganization: p.in.Pair.Destination})
		return &PollResult{Reset: err.Error(), CursorLost: true, Identities: p.in.Identities}, nil
	}
	if err != nil {
		return nil, err
	}
	idle := page.Next == p.in.Cursor && p.in.Trouble == ""
	if since := time.Since(p.beat.Checked); idle && since >= 0 && since < p.set.CheckEvery {
		return nil, nil
	}
	// What was learned about one server must not be done to another; and a
	// replica that was replaced says nothing by itself while the primary rests.
	ids, err := c.Engine.Identities(ctx)
	if err != nil {
		return nil, err
	}
	if why := changed(p.in.Identities, ids); why != "" {
		return &PollResult{Reset: why, Identities: ids}, nil
	}
	if p.beat.Checked = time.Now().UTC(); idle {
		return nil, nil
	}
	scope, err := c.Engine.Scope(ctx)
	if err != nil {
		return nil, err
	}
	out := &PollResult{
		Cursor: page.Next, FromCursor: page.From, Behind: page.Behind, Ignored: page.Ignored, Identities: ids,
		DeleteLimit: c.DeleteLimit,
	}
	for _, ch := range page.Changes {
		if scope.Has(ch.Ref) && (ch.Action != object.ActionDelete || ch.Ref.Kind.Deletable()) {
			out.Changes = append(out.Changes, ch)
		} else {
			out.Ignored++
		}
	}
	return out, p.weigh(ctx, c, out)
}

// wait is how long the feed may wait for changes: the rest of the hold, or PollWait
// if that is more, in whole seconds. Nobody waits who has something to tell the
// workflow in any case.
func (p *poll) wait() time.Duration {
	if p.in.Once || p.in.Trouble != "" || p.first {
		return 0
	}
	return max(min(max(time.Until(p.end), p.set.PollWait), maxWait).Truncate(time.Second), 0)
}

// weigh counts what the delete guard has to know.
func (p *poll) weigh(ctx context.Context, c *Connection, out *PollResult) error {
	out.Deletes = plan.CountDeletes(out.Changes)
	if err := weighContents(ctx, c, out); err != nil {
		return err
	}
	var count []object.Kind
	for _, k := range object.Kinds() {
		if out.Deletes[k] > c.DeleteLimit.Free() {
			count = append(count, k)
		}
	}
	if len(count) == 0 {
		return nil
	}
	var err error
	out.Totals, err = c.Engine.Totals(ctx, count)
	return err
}

// weighContents adds what goes with a data bag, policy or policy group and is not
// in the page: a server names it after its parent, perhaps in the next page, or
// not at all.
func weighContents(ctx context.Context, c *Connection, out *PollResult) error {
	last := map[object.Ref]object.Action{}
	for _, ch := range out.Changes {
		last[ch.Ref] = ch.Action
	}
	for _, ch := range plan.Coalesce(out.Changes) {
		if _, holds := ch.Ref.Kind.Contains(); !holds || ch.Action != object.ActionDelete {
			continue
		}
		h, ok := kinds.For(ch.Ref.Kind).(kinds.Container)
		if !ok {
			continue
		}
		refs, err := h.Contents(ctx, c.Engine.Replica, ch.Ref)
		if err != nil && chef.Classify(err) != chef.ClassObject { // or else its delete will say so
			return fmt.Errorf("replica: %w", err)
		}
		for _, ref := range refs {
			if last[ref] != object.ActionDelete {
				out.Deletes[ref.Kind]++
			}
		}
	}
	return nil
}

// changed says which server is another one than before; "" if none is. A GUID
// that one of the two does not know proves nothing.
func changed(was, is object.Identities) string {
	for _, s := range []struct {
		side    string
		was, is object.Identity
	}{{"primary", was.Primary, is.Primary}, {"replica", was.Replica, is.Replica}} {
		switch {
		case s.was == (object.Identity{}):
		case s.was.URL != s.is.URL:
			return fmt.Sprintf("the %s was %s and is now %s", s.side, s.was.URL, s.is.URL)
		case s.was.OrgGUID != "" && s.is.OrgGUID != "" && s.was.OrgGUID != s.is.OrgGUID:
			return fmt.Sprintf("the organization on the %s %s is another one of the same name", s.side, s.is.URL)
		}
	}
	if was.Scope != "" && was.Scope != is.Scope {
		return "other objects are replicated than before (" + is.Scope + ")"
	}
	return ""
}

// failed decides between telling the workflow and waiting.
func (p *poll) failed(ctx context.Context, err error) (PollResult, error) {
	p.beat.Polls++
	p.beat.Fails++
	t := troubleOf(err)
	p.beat.Problem = t.Message
	if now := p.a.now(); p.beat.Maintenance.After(now) { // the window was taken out of the configuration
		p.beat.Maintenance = now.UTC()
	}
	p.shown.Store(p.beat)
	passing := classOf(err) == chef.ClassRetry
	back := p.set.Refused
	if passing {
		back = p.set.Outage
	}
	delay := max(jitter(back.After(p.beat.Fails)), chef.RetryAfter(err))
	// A server that wants to be left alone for long will not have changed its mind
	// by the next attempts.
	lasting := !passing || p.beat.Fails >= tolerated || chef.RetryAfter(err) > longRetry
	if t.Key != p.in.Trouble && lasting {
		p.a.log(p.in.Pair).ErrorContext(ctx, "pair cannot be replicated", "err", t.Message, "hint", t.Hint)
		return PollResult{Trouble: &t, Identities: p.in.Identities}, nil
	}
	p.remind(ctx, t)
	return PollResult{}, p.again(ctx, TypeWaiting, delay, fmt.Sprintf("%s; next try in %s", t.Message, delay.Round(time.Second)))
}

// remindEvery is how often the log says that a trouble lasts, which was logged when it
// began.
const remindEvery = time.Hour

// remind logs that a trouble lasts that the workflow knows of, once in a while.
func (p *poll) remind(ctx context.Context, t Trouble) {
	now := p.a.now().UTC()
	switch since := now.Sub(p.beat.Logged); {
	case p.in.Trouble == "":
	case p.beat.Logged.IsZero(), since < 0: // it was logged when it began, or the clock was put back
		p.beat.Logged = now
	case since >= remindEvery:
		p.a.log(p.in.Pair).WarnContext(ctx, "pair still cannot be replicated", "err", t.Message, "hint", t.Hint, "tries", p.beat.Fails)
		p.beat.Logged = now
	}
}

// tolerated is how many failures in a row that may pass are not worth telling.
const tolerated = 3

// again ends the attempt with an error that asks for the next one. It is benign:
// the SDK neither logs nor counts it as a failure.
func (p *poll) again(ctx context.Context, kind string, delay time.Duration, message string) error {
	activity.RecordHeartbeat(ctx, beatOf(p.beat, p.conn.Load())...)
	return temporal.NewApplicationErrorWithOptions(message, kind, temporal.ApplicationErrorOptions{
		NextRetryDelay: delay, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// jitter spreads the polls of many pairs: d plus or minus a tenth.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // not a secret
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
