package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/version"
)

// State is how a check ended.
type State string

// The states. Only Failed means that something does not work.
const (
	OK      State = "ok"
	Warning State = "warn"
	Failed  State = "fail"
	Skipped State = "skipped" // because of another check, or because it does not apply
)

// Side is what a check is about.
type Side string

// The sides. A primary's own host, where the feed server runs, is Host too.
const (
	Host    Side = "host"
	Primary Side = "primary"
	Replica Side = "replica"
)

// Result is how a check ended.
type Result struct {
	Check string `json:"check"` // its name, for Options.Only
	Side  Side   `json:"side"`

	// Organization is the one that was looked at on that side; "" = none.
	Organization string `json:"organization,omitempty"`

	Finding
}

// Finding is what a check has to say.
type Finding struct {
	State State  `json:"state"`
	Text  string `json:"text"` // what was looked at, and how it is

	// Fix is a command, or a setting; "" where none helps or nothing is wrong.
	Fix string `json:"fix,omitempty"`
}

// DefaultLimit is how long one check may take.
const DefaultLimit = 10 * time.Second

// Options are the arguments of [Run].
type Options struct {
	// Config is the configuration; nil if it cannot be used, and Err says why.
	Config *config.Config
	Err    error
	File   string // where it was looked for

	// Replica is the name of the replica, as workflows know it.
	Replica string

	// Temporal connects to it; where and how in words is in At. Daemon is the
	// command that starts the ec-syncd of this host.
	Temporal func(context.Context) (Temporal, error)
	At       string
	Embedded bool // the Temporal server is the one in ec-syncd
	Daemon   string

	// Setup is done before the checks; nil = nothing is. Namespace is whose.
	Setup     *Setup
	Namespace string

	Version version.Info
	Now     func() time.Time // nil = time.Now

	Limit time.Duration // of one check; 0 = DefaultLimit

	// Only are the names of the checks to make; none = all. See [Names]. A Config that
	// cannot be used is told of in any case.
	Only []string
}

// Names returns the names of all checks, in their order.
func Names() []string {
	var out []string
	for _, c := range table() {
		out = append(out, c.name)
	}
	return slices.Compact(out)
}

// check is a row of the table.
type check struct {
	name string

	// of are the subjects of this configuration that it is made for.
	of func(*exam) []subject

	// needs says why it cannot be made; "" = it can. nil needs nothing.
	needs func(context.Context, *exam, subject) string

	run func(context.Context, *exam, subject) []Finding
}

// table has all checks in the order in which they are shown.
func table() []check {
	return []check{
		{"configuration", once, nil, configuration},
		{"key", eachServer, nil, keyFile},
		{"server", eachServer, nil, server},
		{"tls", eachServer, answers, certificates},
		{"clock", eachServer, answers, clock},
		{"user", eachServer, signs, user},
		{"organization", eachOrganization, accepted, organization},
		{"rights", eachOrganization, accepted, rights},
		{"feed", eachPair, accepted, changes},
		{"temporal", onReplica, nil, temporal},
		{"attributes", onReplica, connected, attributes},
		{"worker", onReplica, connected, worker},
		{"directory", onReplica, nil, directory},
		{"staging", onReplica, nil, stagingStore},
		{"logs", onAnyRole, nil, logs},
		{"traces", onTraces, nil, collector},
		{"owner", onAnyRole, nil, owner},
		{"database", onPrimary, nil, database},
		{"changelog", onPrimary, loggedIn, changeLog},
		{"keys", onPrimary, loggedIn, readableKeys},
		{"feedserver", onPrimary, nil, feedServer},
		{"allow", onPrimary, nil, allowed},
		{"nginx", onPrimary, nil, nginx},
	}
}

// Run makes the checks and returns their results in the order of the table,
// whatever became of them, behind those of Options.Setup. It returns when all are done; a ctx that ends makes
// those under way fail. It may be repeated.
func Run(ctx context.Context, o Options) []Result {
	x := newExam(ctx, o)
	defer x.close()
	type job struct {
		check
		subject
		found []Finding
	}
	out := []Result{}
	if o.Setup != nil {
		for _, f := range x.setUp(ctx) {
			out = append(out, Result{Check: checkSetup, Side: Host, Finding: f})
		}
	}
	var jobs []*job
	for _, c := range table() {
		if !o.wants(c.name) {
			continue
		}
		of := c.of(x)
		for _, s := range of {
			jobs = append(jobs, &job{check: c, subject: s})
		}
		if len(of) == 0 && slices.Contains(o.Only, c.name) {
			jobs = append(jobs, &job{check: inapplicable(x, c), subject: subject{side: Host}})
		}
	}
	turns := make(chan struct{}, sideBySide)
	var all sync.WaitGroup
	for _, j := range jobs {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			j.found = x.make(ctx, j.check, j.subject)
		})
	}
	all.Wait()
	for _, j := range jobs {
		for _, f := range j.found {
			out = append(out, Result{Check: j.name, Side: j.side, Organization: j.organization(), Finding: f})
		}
	}
	return out
}

// wants reports whether a check is to be made. Without a configuration hardly any
// can be, and that must not look like success.
func (o Options) wants(check string) bool {
	return len(o.Only) == 0 || slices.Contains(o.Only, check) || check == "configuration" && o.Config == nil
}

// inapplicable is in place of a check that was asked for by name, and for which there
// is nothing on this host: no line would look as if all were well.
func inapplicable(x *exam, c check) check {
	why := "does not apply: "
	switch cfg := x.Config; {
	case cfg == nil:
		why = "the configuration cannot be used: see configuration"
	case !x.replicates() && !x.serves():
		why += "nothing runs on this host: see configuration"
	case x.replicates() && c.name == "traces":
		why += "traces_endpoint is not set"
	case x.replicates() && (x.serves() || slices.Contains([]string{"organization", "rights", "feed"}, c.name)):
		why += "no organization is configured"
	case x.replicates():
		why += "it is about a primary with a feed server, and " + without(cfg.Role == config.RoleReplica, cfg.Role, "ec_sync_server")
	default:
		why += "it is about a replica, and " + without(cfg.Role == config.RoleMaster, cfg.Role, "ec_sync_client")
	}
	return check{name: c.name, run: func(context.Context, *exam, subject) []Finding { return skipped("%s", why) }}
}

// without says why a part of chef-sync does not run here: by the role, or by its switch.
func without(byRole bool, role config.Role, part string) string {
	if byRole {
		return fmt.Sprintf("this host has role :%s", role)
	}
	return part + "['enable'] is false"
}

// sideBySide is how many checks run at once: with hundreds of pairs, not all.
const sideBySide = 24

// make makes one check.
func (x *exam) make(ctx context.Context, c check, s subject) []Finding {
	if c.needs != nil {
		if why := c.needs(ctx, x, s); why != "" {
			return skipped("%s", why)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, x.limit())
	defer cancel()
	found := c.run(ctx, x, s)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		for i := range found {
			if found[i].State == Failed {
				found[i].Text = fmt.Sprintf("no answer within %s: %s", x.limit(), found[i].Text)
				found[i].Fix = cmp.Or(found[i].Fix, hint(ctx.Err()))
			}
		}
	}
	return found
}

// subject is what a check is made for.
type subject struct {
	side Side
	pair *object.Pair // nil where it is not about one
}

// organization is the name that the subject has on its side.
func (s subject) organization() string {
	switch {
	case s.pair == nil:
		return ""
	case s.side == Replica:
		return s.pair.Destination
	default:
		return s.pair.Source
	}
}

func once(*exam) []subject { return []subject{{side: Host}} }

func onReplica(x *exam) []subject { return x.ifSo(x.replicates()) }
func onPrimary(x *exam) []subject { return x.ifSo(x.serves()) }
func onAnyRole(x *exam) []subject { return x.ifSo(x.replicates() || x.serves()) }

func (x *exam) ifSo(yes bool) []subject {
	if !yes {
		return nil
	}
	return once(x)
}

func eachServer(x *exam) []subject {
	if !x.replicates() {
		return nil
	}
	return []subject{{side: Primary}, {side: Replica}}
}

func eachOrganization(x *exam) []subject {
	var out []subject
	for _, s := range eachPair(x) {
		out = append(out, s, subject{side: Replica, pair: s.pair})
	}
	return out
}

// eachPair is about the primary, which has the feeds.
func eachPair(x *exam) []subject {
	if !x.replicates() {
		return nil
	}
	var out []subject
	for i := range x.Config.Pairs {
		out = append(out, subject{side: Primary, pair: &x.Config.Pairs[i]})
	}
	return out
}

// The findings, of which most checks return one.

func fine(format string, args ...any) []Finding {
	return []Finding{{State: OK, Text: fmt.Sprintf(format, args...)}}
}

func skipped(format string, args ...any) []Finding {
	return []Finding{{State: Skipped, Text: fmt.Sprintf(format, args...)}}
}

func warning(fix, format string, args ...any) []Finding {
	return []Finding{{State: Warning, Fix: fix, Text: fmt.Sprintf(format, args...)}}
}

func failed(fix, format string, args ...any) []Finding {
	return []Finding{{State: Failed, Fix: fix, Text: fmt.Sprintf(format, args...)}}
}

// hint is what helps against an error of a server: with what the client knows, or
// against a limit that ended before the answer came.
func hint(err error) string {
	if own := chef.Hint(err); own != "" || !errors.Is(err, context.DeadlineExceeded) {
		return own
	}
	return "a server or a proxy is too slow or unreachable: check its load, and firewalls"
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
