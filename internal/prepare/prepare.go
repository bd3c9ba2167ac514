// Package prepare makes an organization of a Chef server ready to be replicated:
// the user that signs requests exists and has the key that is on this host, is a
// member of the organization, and an admin of it.
//
// The work is a list of steps. Each looks first, does only what is missing, and
// reads back what it did; so a job may be repeated, and one that broke off goes on
// where it was. A dry run looks and says what it would do.
//
// Nothing is ever replaced or taken away: no key, no key file, no member of a
// group. Where a right is missing the error names it.
package prepare

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// A Job is one organization of one server, and who is to replicate it.
type Job struct {
	// As signs as somebody with rights, in the organization: the superuser, or an
	// admin of it. nil means that the user itself does what it can. A client
	// without organization means a server that has none (goiardi).
	As *chef.Client

	// SignAs makes a client of the same organization that signs with a key of User.
	SignAs func(*rsa.PrivateKey) (*chef.Client, error)

	// User is who replicates, and KeyFile where its private key is, or will be.
	User, KeyFile string

	// KeyDir is a directory whose owner shall own a KeyFile that is written, if we
	// may give files away and the directory exists; "" changes no owner.
	KeyDir string

	// Writes says that User writes to the organization: it is that of a replica.
	Writes bool

	// Member leaves it at membership: enough to read all content of an organization,
	// not its groups and ACLs.
	Member bool

	// AddKey is the name of a key to be added to a user that exists and whose keys
	// are not the one of KeyFile; "" adds none.
	AddKey string

	// DryRun changes nothing, neither on the server nor on this host.
	DryRun bool

	// NewKey generates a key; nil generates RSA keys of 2048 bits.
	NewKey func() (*rsa.PrivateKey, error)
}

// State is how a step ended.
type State string

// The states.
const (
	StateFound State = "found"    // it was as it should be
	StateDone  State = "done"     // it was done, and read back
	StateWould State = "would do" // a dry run
	StateNone  State = "none"     // it does not apply
	StateLacks State = "lacks"    // rights are missing that a repetition will not bring
)

// A Step is one part of the work with its outcome.
type Step struct {
	Name  string `json:"step"` // key, user, member, admin, rights
	State State  `json:"state"`
	What  string `json:"what"` // a sentence without its full stop
}

// A Result is what a job found and did, also one that failed.
type Result struct {
	Server       string `json:"server"`
	Organization string `json:"organization"`
	FullName     string `json:"full_name,omitempty"`
	GUID         string `json:"guid,omitempty"`
	As           string `json:"as"`
	User         string `json:"user"`
	KeyFile      string `json:"key_file"`
	DryRun       bool   `json:"dry_run"`
	Steps        []Step `json:"steps"`

	// Lacks are the rights that User does not have and needs.
	Lacks []string `json:"lacks"`

	// Members, Groups and Actors are what the organization has, sorted.
	Members []string `json:"members"`

	Groups []Group  `json:"groups"`
	Actors []Actor  `json:"actors"`
	Notes  []string `json:"notes"` // of what could not be listed
}

// Changed reports whether the job did something, or would.
func (r *Result) Changed() bool {
	for _, s := range r.Steps {
		if s.State == StateDone || s.State == StateWould {
			return true
		}
	}
	return false
}

// An Error is a step that could not be done.
type Error struct {
	Step string
	What string   // what was tried, and why it cannot be done
	Try  []string // commands that help
	Err  error    // what the server or the system said; nil if nothing
}

// Error says which step could not be done and why.
func (e *Error) Error() string {
	out := e.Step + ": " + e.What
	if e.Err != nil {
		out += ": " + e.Err.Error()
	}
	return out
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Ways that [Error.Try] and steps offer; the program that shows them completes
// them with its own name and arguments.
const (
	// TryMendKey is to make the key file usable.
	TryMendKey = "mend the key"

	// TryAdmin is to run the job as somebody with more rights.
	TryAdmin = "as an admin"
	// TryAddKey is to run the job with [Job.AddKey].
	TryAddKey = "add a key"
	// TryCopyKey is to copy the key file from the host that has it.
	TryCopyKey = "copy the key"
)

// run is a job under way.
type run struct {
	Job
	own    *chef.Client // signs as User; nil as long as there is no key that fits
	key    *rsa.PrivateKey
	member bool
	admin  bool
	out    *Result
}

// Run does the job. The result is never nil, and says how far it came. Returns
// [*Error] if a step cannot be done; those after it are then not tried. A right
// that User lacks after all steps is no error: see [Result.Lacks].
func (j Job) Run(ctx context.Context) (*Result, error) {
	r := &run{Job: j, out: &Result{
		User: j.User, KeyFile: j.KeyFile, DryRun: j.DryRun,
		Steps: []Step{}, Lacks: []string{}, Members: []string{}, Groups: []Group{}, Actors: []Actor{}, Notes: []string{},
	}}
	if err := r.begin(); err != nil {
		return r.out, err
	}
	for _, step := range []func(context.Context) error{
		r.organization, r.user, r.members, r.admins, r.rights,
	} {
		if err := step(ctx); err != nil {
			return r.out, err
		}
	}
	return r.out, r.lists(ctx)
}

// begin reads the key, and finds out who does the work.
func (r *run) begin() error {
	if err := r.readKey(); err != nil {
		return err
	}
	if r.As == nil {
		if r.key == nil {
			return &Error{
				Step: "key", What: fmt.Sprintf("there is neither a key of somebody with rights nor %s, the key of %s", r.KeyFile, r.User),
				Try: []string{TryAdmin, TryCopyKey},
			}
		}
		r.As = r.own
	}
	r.out.Server, r.out.Organization, r.out.As = r.As.URL(), r.As.Organization(), r.As.User()
	return nil
}

// alone reports whether the user itself does the work.
func (r *run) alone() bool { return r.As.User() == r.User }

// flat reports whether the server has no organizations.
func (r *run) flat() bool { return r.As.Organization() == "" }

func (r *run) step(name string, s State, format string, args ...any) {
	r.out.Steps = append(r.out.Steps, Step{Name: name, State: s, What: fmt.Sprintf(format, args...)})
}

// do notes a step as done, after doing it, or as one that would be done.
func (r *run) do(name string, change func() error, format string, args ...any) error {
	if r.DryRun {
		r.step(name, StateWould, format, args...)
		return nil
	}
	if err := change(); err != nil {
		return err
	}
	r.step(name, StateDone, format, args...)
	return nil
}

// lacks reports whether the server refused for want of a permission on one thing.
func lacks(err error) bool {
	var e *chef.APIError
	return errors.As(err, &e) && e.Status == 403 && e.Class() == chef.ClassObject
}

// failed makes the error of a step out of what a server answered; right is the
// permission that it needs, as in "update on the group admins".
func (r *run) failed(step, tried, right string, err error) error {
	if err == nil {
		return nil
	}
	if right != "" && lacks(err) {
		return &Error{Step: step, What: fmt.Sprintf("%s lacks the permission %s", r.As.User(), right), Try: []string{TryAdmin}, Err: err}
	}
	out := &Error{Step: step, What: tried, Err: err}
	if errors.Is(err, chef.ErrNotMember) || errors.Is(err, chef.ErrCredentials) {
		out.Try = []string{TryAdmin}
	}
	return out
}

// organization looks whether there is one.
func (r *run) organization(ctx context.Context) error {
	o, err := r.As.GetOrganization(ctx)
	switch {
	case err == nil:
		r.out.FullName, r.out.GUID = o.FullName, o.GUID
		return nil
	case r.alone() && (errors.Is(err, chef.ErrNotMember) || lacks(err)):
		return nil // the step member tells
	case errors.Is(err, chef.ErrOrgNotFound):
		return r.noOrganization(ctx, err)
	case errors.Is(err, chef.ErrNotMember):
		return &Error{
			Step: "organization", Err: err, Try: []string{TryAdmin},
			What: fmt.Sprintf("%s is neither the superuser nor a member of %s", r.As.User(), r.As.Organization()),
		}
	case errors.Is(err, chef.ErrCredentials):
		return &Error{
			Step: "organization", Err: err, Try: []string{TryAdmin},
			What: fmt.Sprintf("the server does not know %s by the key that was used", r.As.User()),
		}
	}
	return r.failed("organization", "look at "+r.As.Organization(), "read on the organization "+r.As.Organization(), err)
}

// noOrganization names those there are, if we may know.
func (r *run) noOrganization(ctx context.Context, err error) error {
	e := &Error{Step: "organization", What: "there is no organization " + r.As.Organization(), Err: err}
	if names, listErr := r.As.ListOrganizations(ctx); listErr == nil {
		e.What += " on " + r.As.URL() + ", which has " + some(names)
	}
	return e
}
