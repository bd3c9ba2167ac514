package ctl

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// compareOptions modify a comparison.
type compareOptions struct {
	globs     []string // nil means everything
	files     bool     // also of cookbook files
	values    bool     // show what may be secret
	namesOnly bool     // show no fields
}

// compare reads both organizations of a pair and says where they differ.
func (k *call) compare(ctx context.Context, org string, o compareOptions) (*Diff, error) {
	for _, g := range o.globs {
		if err := object.CheckGlob(g); err != nil {
			return nil, unusable(k.command, "%w", err)
		}
	}
	if k.set.file == "" {
		return nil, fail(ExitUsage, program+" "+k.command+" --config FILE …", "%s reads both servers, and only a configuration names them", k.command)
	}
	p, ok := k.set.cfg.Pair(org)
	if !ok {
		return nil, k.unknown(org)
	}
	e, err := connect.Engine(ctx, k.set.cfg, p, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, fail(ExitUsage, "$EDITOR "+k.set.file, "%s: %w", k.command, err)
	}
	d, err := k.reads(ctx, e, o)
	if err != nil {
		return nil, k.unreadable(o, err)
	}
	d.Organization, d.Source, d.Primary, d.Replica = p.Destination, p.Source, e.Primary.URL(), e.Replica.URL()
	d.deletes = k.set.cfg.Settings(p).Extras == config.ExtrasDelete
	return d, nil
}

// unreadable explains what ended a comparison.
func (k *call) unreadable(o compareOptions, err error) error {
	var f *failure
	if errors.As(err, &f) || errors.Is(err, context.Canceled) {
		return err
	}
	text := err.Error()
	if !o.values {
		text = withoutWords(text)
	}
	if hint := chef.Hint(err); hint != "" {
		text += " (" + hint + ")"
	}
	return fail(ExitNotDone, program+" doctor", "%s: %s", k.command, text)
}

// reads does the comparison.
func (k *call) reads(ctx context.Context, e *replicate.Engine, o compareOptions) (*Diff, error) {
	d := &Diff{partly: len(o.globs) > 0}
	var err error
	if d.PrimaryLacks, d.ReplicaLacks, err = e.Lacks(ctx); err != nil {
		return nil, err
	}
	survey, err := e.Survey(ctx)
	if err != nil {
		return nil, err
	}
	objects, err := matching(survey.All(), o.globs)
	if err != nil {
		return nil, err
	}
	opts := replicate.CheckOptions{Detail: o.detail}
	if o.files {
		opts.Files = &replicate.FileChecks{}
	}
	read, done := k.progress(len(objects))
	d.Comparison, err = e.Check(ctx, objects, opts, read)
	done()
	if err != nil {
		return nil, err
	}
	for i, one := range d.Differences {
		if one.Case == replicate.CaseUnknown {
			d.Unknown++
		}
		if !o.values && holdsSecrets(one.Ref.Kind) {
			d.Differences[i].What = withoutWords(one.What)
		}
	}
	d.Equal = d.Comparison.Equal()
	return d, nil
}

// detail adds to a difference the fields that differ.
func (o compareOptions) detail(d *replicate.Difference, want, held kinds.Object) {
	if d.Case != replicate.CaseDifferent || o.namesOnly {
		return
	}
	primary, err := kinds.Value(want)
	if err != nil {
		d.What = "different; what differs cannot be shown"
		return
	}
	replica, err := kinds.Value(held)
	if err != nil {
		d.What = "different; what differs cannot be shown"
		return
	}
	if d.Fields = plan.Fields(primary, replica); len(d.Fields) == 0 {
		d.What = "different in what no field shows"
	}
	if !o.values {
		hide(d.Ref.Kind, d.Fields)
	}
}

// matching returns the objects that one of the globs matches, all if there is
// none. A glob that matches nothing is an error: it may be misspelt, and what was
// not compared is not equal.
func matching(look []object.Change, globs []string) ([]object.Change, error) {
	if len(globs) == 0 {
		return look, nil
	}
	for _, g := range globs {
		one := object.Scope{Kinds: object.Kinds(), Include: []string{g}}
		if !slices.ContainsFunc(look, func(c object.Change) bool { return one.Has(c.Ref) && covers(g, c.Ref) }) {
			return nil, fail(ExitUsage, program+" diff --help", "nothing that the pair replicates matches %s, on either server", g)
		}
	}
	all := object.Scope{Kinds: object.Kinds(), Include: globs}
	return slices.DeleteFunc(slices.Clone(look), func(c object.Change) bool { return !all.Has(c.Ref) }), nil
}

// covers reports whether a glob is not longer than the path of an object, which
// may be in it all the same, as what holds it.
func covers(glob string, ref object.Ref) bool {
	return strings.Count(glob, "/") <= strings.Count(ref.Path(), "/")
}
