package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/chef-sync/chef-sync/workflows"
)

// Setup says what Run makes of a Temporal namespace before it looks at it. What is
// there already is left as it is, so that it may be repeated.
type Setup struct {
	// Retention is how long closed workflows are kept in a namespace that is made;
	// 0 = DefaultRetention. An existing one gets it only if it is not 0.
	Retention time.Duration
}

// DefaultRetention is that of the Temporal server inside ec-syncd, too.
const DefaultRetention = 30 * 24 * time.Hour

// checkSetup names the results of the setup. It is no check: nothing picks it but
// Options.Setup.
const checkSetup = "setup"

// setupLimit is how long the setup may take. The servers of a cluster hear of a
// namespace one after the other, within seconds.
const setupLimit = time.Minute

// setUp does what Options.Setup says. What there is no right to do is a warning
// with the command for somebody who has it; only a namespace that is missing is a
// failure, as nothing works without.
func (x *exam) setUp(ctx context.Context) []Finding {
	switch {
	case x.Config == nil:
		return failed("$EDITOR "+x.File, "nothing was set up: the configuration cannot be used: %v", x.Err)
	case !x.replicates():
		return failed("$EDITOR "+x.File, "nothing was set up: this host replicates nothing, role :%s in %s", x.Config.Role, x.File)
	case x.Embedded:
		return skipped("the Temporal server inside ec-syncd sets itself up whenever ec-syncd starts")
	}
	ctx, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	t, err := x.temporal()
	if err != nil {
		return failed("temporal operator cluster health", "nothing was set up: Temporal at %s does not answer: %v", x.At, err)
	}
	found, there := x.setUpNamespace(ctx, t)
	if !there {
		return found
	}
	return append(found, x.setUpAttributes(ctx, t)...)
}

// setUpNamespace sees to the namespace, and reports whether there is one, as far
// as can be known.
func (x *exam) setUpNamespace(ctx context.Context, t Temporal) (found []Finding, there bool) {
	keep := x.Setup.Retention
	has, err := t.Retention(ctx)
	var missing *serviceerror.NamespaceNotFound
	switch {
	case errors.As(err, &missing):
		return x.makeNamespace(ctx, t)
	case refused(err):
		return warning("", "the namespace %s was not looked at, there is no right to: %v; the check temporal says whether it is there", x.Namespace, err), true
	case err != nil:
		return failed("temporal operator cluster health", "the namespace %s could not be looked at: %v", x.Namespace, err), false
	case keep == 0 || keep == has:
		return fine("the namespace %s is there and keeps closed workflows for %s", x.Namespace, days(has)), true
	}
	if err := t.SetRetention(ctx, keep); err != nil {
		return warning(fmt.Sprintf("temporal operator namespace update --namespace %s --retention %s    # as somebody who may", x.Namespace, hours(keep)),
			"the namespace %s still keeps closed workflows for %s, and not for %s: %v", x.Namespace, days(has), days(keep), err), true
	}
	return fine("the namespace %s keeps closed workflows for %s now, before for %s", x.Namespace, days(keep), days(has)), true
}

func (x *exam) makeNamespace(ctx context.Context, t Temporal) (found []Finding, there bool) {
	keep := x.Setup.Retention
	if keep == 0 {
		keep = DefaultRetention
	}
	err := t.Register(ctx, keep)
	var raced *serviceerror.NamespaceAlreadyExists
	if errors.As(err, &raced) {
		return fine("the namespace %s is there", x.Namespace), true
	}
	if err != nil {
		return failed(fmt.Sprintf("temporal operator namespace create --namespace %s --retention %s    # as somebody who may", x.Namespace, hours(keep)),
			"the namespace %s is missing, and could not be registered: %v", x.Namespace, err), false
	}
	return fine("the namespace %s was registered, and keeps closed workflows for %s", x.Namespace, days(keep)), true
}

// setUpAttributes adds the search attributes that the namespace lacks. Nothing
// here is a failure: pairs run without them.
func (x *exam) setUpAttributes(ctx context.Context, t Temporal) []Finding {
	want := workflows.SearchAttributes()
	have, err := t.SearchAttributes(ctx)
	if err != nil {
		return warning(createAttributes(x.Namespace, want)+"    # as somebody who may",
			"the search attributes could not be looked at: pairs run without those that are missing, and all else works: %v", err)
	}
	var out []Finding
	missing := map[string]enums.IndexedValueType{}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch got, ok := have[name]; {
		case !ok:
			missing[name] = want[name]
		case got != want[name]:
			out = append(out, warning("temporal operator search-attribute remove --namespace "+x.Namespace+" --name "+name,
				"the search attribute %s is of type %s, and should be %s: pairs run without it, and all else works", name, got, want[name])...)
		}
	}
	if len(missing) == 0 {
		if len(out) == 0 {
			out = fine("the namespace %s has all search attributes", x.Namespace)
		}
		return out
	}
	if err := t.AddSearchAttributes(ctx, missing); err != nil {
		return append(out, warning(createAttributes(x.Namespace, missing)+"    # as somebody who may",
			"search attributes could not be added: pairs run without them, and all else works: %v", err)...)
	}
	return append(out, fine("%s added to the namespace %s; pairs that run have them from their next change on, or after: chef-sync-ctl sync-now ORG",
		count(len(missing), "search attribute"), x.Namespace)...)
}

// createAttributes is the command that adds search attributes.
func createAttributes(namespace string, missing map[string]enums.IndexedValueType) string {
	out := "temporal operator search-attribute create --namespace " + namespace
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		out += fmt.Sprintf(" --name %s --type %s", name, missing[name])
	}
	return out
}

// refused reports whether Temporal has no such operation for us.
func refused(err error) bool {
	var denied *serviceerror.PermissionDenied
	var unknown *serviceerror.Unimplemented
	return errors.As(err, &denied) || errors.As(err, &unknown)
}

// days is a retention for people, hours one for a command line.
func days(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return count(int(d/(24*time.Hour)), "day")
	}
	return d.String()
}

func hours(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return d.String()
}
