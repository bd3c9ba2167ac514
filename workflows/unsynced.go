package workflows

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/object"
)

// find returns the place of ref in Unsynced, and whether it is there.
func (s *State) find(ref object.Ref) (int, bool) {
	return slices.BinarySearchFunc(s.Unsynced, ref, func(u Unsynced, r object.Ref) int { return u.Ref.Compare(r) })
}

// synced takes ref off the list of unsynced objects.
func (s *State) synced(ref object.Ref) {
	if i, ok := s.find(ref); ok {
		s.Unsynced = slices.Delete(s.Unsynced, i, i+1)
	}
}

// later has what was made anew tried once more, if it is on the list, because there is
// no room for what it holds no longer.
func (s *State) later(ref object.Ref, now time.Time, o Options) {
	if i, ok := s.find(ref); ok {
		u := s.Unsynced[i]
		u.Reason, u.Hint, u.NextTry = "what it holds no longer is still to be deleted", "", time.Time{}
		s.park(u, now, o)
	}
}

// undelete takes the delete of an object that is on the primary again off the
// list. One that holds others is kept there, to be replaced: the deletes of what
// it held went with its own. It then returns true.
func (s *State) undelete(ref object.Ref, page int64, next time.Time) (replace bool) {
	i, ok := s.find(ref)
	if !ok || s.Unsynced[i].Action != object.ActionDelete {
		return ok && s.Unsynced[i].Action == object.ActionReplace
	}
	if _, holds := ref.Kind.Contains(); !holds && ref.Kind != object.KindCookbook {
		s.Unsynced = slices.Delete(s.Unsynced, i, i+1)
		return false
	}
	u := &s.Unsynced[i]
	u.Action, u.Waits, u.Page, u.FromPage, u.Along, u.NextTry = object.ActionReplace, false, page, 0, 0, next
	u.Reason, u.Hint = "was deleted and made anew, and is compared as a whole", ""
	return true
}

// lasting reports whether a full comparison would not find what u is about: it
// keeps what only the replica has.
func (u Unsynced) lasting() bool {
	return u.Action == object.ActionDelete || u.Action == object.ActionReplace
}

// repair puts an object on the list that is to be tried at once. Whatever the
// verification saw, the primary may have made the object since: so it is read
// there, and deleted only if the primary's list has none.
func (s *State) repair(c object.Change, now time.Time, o Options) {
	if !c.Ref.Kind.Valid() {
		return
	}
	if i, known := s.find(c.Ref); known {
		s.Unsynced[i].NextTry = now
		return
	}
	s.park(Unsynced{
		Ref: c.Ref, Action: object.ActionUpdate, Page: s.Page, NextTry: now,
		Reason: "a verification found it different from the primary's",
	}, now, o)
}

// triesLeft reports whether a pair that runs once should try unsynced objects
// again before it ends.
func (s *State) triesLeft() bool {
	return slices.ContainsFunc(s.Unsynced, func(u Unsynced) bool {
		return u.Waits && s.released(u) || !u.Waits && u.Attempts < triesOnce
	})
}

// triesOnce is how often a pair that runs once tries each object.
const triesOnce = 3

// repark notes that objects could not even be tried again.
func (s *State) repark(due []Unsynced, t activities.Trouble, now time.Time, o Options) {
	for _, u := range due {
		i, ok := s.find(u.Ref)
		if !ok || s.Unsynced[i].NextTry.After(now) && !s.Unsynced[i].Waits {
			continue // was tried
		}
		u = s.Unsynced[i] // which may be in doubt by now
		u.Waits, u.Reason, u.Hint, u.NextTry = false, t.Message, t.Hint, time.Time{}
		s.park(u, now, o)
	}
}

// doubt notes that an object may be half written, and is to be replaced, or half
// deleted. That is no failure of its own, and does not count as a try. There is always
// room for it: [Options.MaxUnsynced] leaves some, and [work.crowded] sees to the rest.
func (s *State) doubt(c object.Change, page int64, now time.Time, o Options) {
	u := Unsynced{
		Ref: c.Ref, Action: c.Action, Page: page, NextTry: now,
		Reason: "the write of its batch broke off, and half of it may be there",
	}
	if c.Action == object.ActionDelete {
		u.Reason = "the delete of its batch broke off, and half of it may be gone"
	}
	if i, known := s.find(c.Ref); known {
		s.Unsynced[i].Action, s.Unsynced[i].Reason, s.Unsynced[i].Hint = u.Action, u.Reason, ""
		return
	}
	o.MaxUnsynced = max(o.MaxUnsynced, len(s.Unsynced)+1)
	s.park(u, now, o)
}

// park puts an object on the list of unsynced objects, or notes another failure
// of one that is there. The first failure since an object changed is tried
// again soon, later ones ever more rarely. The time that u names counts for the
// first few: an object that is made anew again and again, because the replica
// shows another than was written, would keep both servers busy.
//
// It returns false if the list is full of what a full comparison would not find,
// and u is no more found there: u is not on the list then.
func (s *State) park(u Unsynced, now time.Time, o Options) bool {
	i, known := s.find(u.Ref)
	u.FirstSeen, u.LastSeen, u.Attempts = now, now, 1
	if known {
		old := s.Unsynced[i]
		u.FirstSeen = old.FirstSeen
		if old.Action != object.ActionDelete { // deletes may wait for it since then
			u.FromPage = cmp.Or(old.FromPage, old.Page)
		}
		if old.Action == u.Action && old.Page == u.Page && !u.Waits {
			u.Attempts = old.Attempts + 1
		}
	}
	if u.NextTry.IsZero() || u.Attempts > atOnce {
		u.NextTry = now.Add(backoff(u.Attempts, o.RetryFirst, o.RetryMost))
	}
	u.Reason, u.Hint = fit(u.Reason), fit(u.Hint)
	if known {
		s.Unsynced[i] = u
		return true
	}
	if u.Action != object.ActionDelete && s.comparing() {
		u.FromPage = s.Forgotten // perhaps it is one of these
	}
	if len(s.Unsynced) >= o.MaxUnsynced {
		forgotten := u
		if u.lasting() { // which no full comparison finds again
			var ok bool
			if forgotten, ok = s.dropWrite(); !ok {
				return false
			}
		}
		s.forget(forgotten)
		s.compareSoon(now, o) // what is forgotten here is found again there
		if !u.lasting() {
			return true
		}
		i, _ = s.find(u.Ref)
	}
	s.Unsynced = slices.Insert(s.Unsynced, i, u)
	return true
}

// compareSoon has everything compared before long.
func (s *State) compareSoon(now time.Time, o Options) {
	if s.CompareAt.IsZero() {
		s.CompareAt = now.Add(o.RetryMost / 6)
	}
}

// forget notes from which page on a write is no longer on the list: deletes of that
// page wait for it all the same.
func (s *State) forget(u Unsynced) {
	if from := u.since(); s.Forgotten == 0 || from < s.Forgotten {
		s.Forgotten = from
	}
}

// since is the page from which on u is unsynced.
func (u Unsynced) since() int64 { return cmp.Or(u.FromPage, u.Page) }

// holdsUp reports whether a delete waits for u, if that is a write.
func (u Unsynced) holdsUp(d Unsynced) bool {
	return u.Action != object.ActionDelete && u.since() <= d.Page &&
		(d.Page <= u.Page || d.InUse && u.mayUse(d.Ref))
}

// mayUse reports whether u is a policy group that may use a policy revision, or a
// cookbook artifact, on the replica. Which artifacts it uses is not known here.
func (u Unsynced) mayUse(ref object.Ref) bool {
	return u.Ref.Kind == object.KindPolicyPointer && (ref.Kind == object.KindArtifact || ref.Name == u.Ref.Sub)
}

// inUse reports whether a policy group may still use on the replica what d is about:
// one on the list, or one that was forgotten for want of room.
func (s *State) inUse(d Unsynced) bool {
	return s.heldUp(d) || s.Forgotten > 0 && s.Forgotten <= d.Page
}

// roomInUse reports whether there is room for the delete of what is in use. Such
// deletes wait for as long as a policy group cannot be moved, and must not fill the
// list: the feed would wait for that group.
func (s *State) roomInUse(ref object.Ref, o Options) bool {
	if _, known := s.find(ref); known {
		return true
	}
	n := 0
	for _, u := range s.Unsynced {
		if u.InUse {
			n++
		}
	}
	return n < o.MaxUnsynced/2
}

// heldUp reports whether a delete waits for a write on the list.
func (s *State) heldUp(d Unsynced) bool {
	return slices.ContainsFunc(s.Unsynced, func(u Unsynced) bool { return u.holdsUp(d) })
}

// waitedFor reports whether a delete on the list waits for u.
func (s *State) waitedFor(u Unsynced) bool {
	return slices.ContainsFunc(s.Unsynced, func(d Unsynced) bool { return d.Action == object.ActionDelete && u.holdsUp(d) })
}

// mostWaitedFor returns the write that most deletes on the list wait for, and how many
// do; none is 0.
func (s *State) mostWaitedFor() (ref object.Ref, deletes int) {
	for _, u := range s.Unsynced {
		n := 0
		for _, d := range s.Unsynced {
			if d.Action == object.ActionDelete && u.holdsUp(d) {
				n++
			}
		}
		if n > deletes {
			ref, deletes = u.Ref, n
		}
	}
	return ref, deletes
}

// holdingUp reports whether a delete on the list waits for a write that a full
// comparison is to find again.
func (s *State) holdingUp() bool {
	return slices.ContainsFunc(s.Unsynced, func(u Unsynced) bool {
		return u.Action == object.ActionDelete && s.Forgotten > 0 || !u.lasting() && s.waitedFor(u)
	})
}

// atOnce is how often in a row an object may name the time of its next try.
const atOnce = 3

// dropWrite takes any write off the list; not ok if there is none.
func (s *State) dropWrite() (u Unsynced, ok bool) {
	for i, u := range slices.Backward(s.Unsynced) {
		if !u.lasting() {
			s.Unsynced = slices.Delete(s.Unsynced, i, i+1)
			return u, true
		}
	}
	return Unsynced{}, false
}

// takesLastRoom reports whether there is room for u only in place of the last write on
// the list.
func (s *State) takesLastRoom(u Unsynced, o Options) bool {
	_, known := s.find(u.Ref)
	writes := 0
	for _, old := range s.Unsynced {
		if !old.lasting() {
			writes++
		}
	}
	return !known && u.lasting() && len(s.Unsynced) >= o.MaxUnsynced && writes == 1
}

// mostText is the most bytes of JSON that the reason or hint of an unsynced object
// takes: the whole list has to fit a payload of Temporal's, 2 MiB. One that is
// all brackets would take six times its length.
const mostText = 500

func fit(text string) string {
	for jsonLength(text) > mostText {
		text = strings.ToValidUTF8(text[:len(text)/2], "") + "…"
	}
	return text
}

// jsonLength is the most bytes that a text takes as JSON: six for what may be
// escaped. encoding/json itself would do, but workflowcheck cannot vouch for it.
func jsonLength(text string) int {
	n := 2
	for i := range len(text) {
		switch c := text[i]; {
		case c < 0x20 || c >= 0x80 || c == '<' || c == '>' || c == '&' || c == '"' || c == '\\':
			n += 6
		default:
			n++
		}
	}
	return n
}

func backoff(n int, first, most time.Duration) time.Duration {
	d := first
	for range min(n, 32) - 1 {
		if d >= most/2 {
			return most
		}
		d *= 2
	}
	return min(d, most)
}

// due returns the changes that have to be tried again now, with the page that
// each came in.
func (s *State) due(now time.Time) []Unsynced {
	var out []Unsynced
	for _, u := range s.Unsynced {
		if u.Waits {
			if s.released(u) {
				out = append(out, u)
			}
		} else if !u.NextTry.After(now) {
			out = append(out, u)
		}
	}
	return out
}

// nextTry returns when the next unsynced object, or the full comparison after an
// overflow, is due; zero if never.
func (s *State) nextTry(now time.Time) time.Time {
	next := s.CompareAt
	for _, u := range s.Unsynced {
		at := u.NextTry
		if u.Waits {
			if !s.released(u) {
				continue
			}
			at = now
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// stranded reports whether something waits for far longer than anything is ever
// told to wait: the clock was ahead when that was decided, and was put back since.
func (s *State) stranded(now time.Time, o Options) bool {
	latest := o.latest(now)
	return s.CompareAt.After(latest) || slices.ContainsFunc(s.Unsynced, func(u Unsynced) bool {
		return !u.Waits && u.NextTry.After(latest)
	})
}

// refloat has what is stranded be due at once.
func (s *State) refloat(now time.Time, o Options) {
	latest := o.latest(now)
	if s.CompareAt.After(latest) {
		s.CompareAt = now
	}
	for i, u := range s.Unsynced {
		if u.NextTry.After(latest) {
			s.Unsynced[i].NextTry = now
		}
	}
}

// latest is after any time that something is told to wait for.
func (o Options) latest(now time.Time) time.Time { return now.Add(2 * max(o.RetryFirst, o.RetryMost)) }

// released reports whether a delete that waits need not wait any more: no write
// of its page is left, and everything that there is to write is known.
func (s *State) released(d Unsynced) bool {
	return s.CompareAt.IsZero() && !s.comparing() && !s.heldUp(d)
}
