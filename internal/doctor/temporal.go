package doctor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/chef-sync/chef-sync/internal/version"
	"github.com/chef-sync/chef-sync/workflows"
)

// Temporal is what the checks ask of a Temporal namespace.
type Temporal interface {
	// Pollers returns who asked for workflow tasks of a task queue in the last
	// minutes.
	Pollers(ctx context.Context, queue string) ([]Poller, error)

	// SearchAttributes returns the custom search attributes of the namespace.
	SearchAttributes(ctx context.Context) (map[string]enums.IndexedValueType, error)

	// Retention returns how long the namespace keeps closed workflows, or
	// serviceerror.NamespaceNotFound.
	Retention(ctx context.Context) (time.Duration, error)

	SetRetention(ctx context.Context, keep time.Duration) error

	// Register makes the namespace, and returns when it can be used.
	Register(ctx context.Context, keep time.Duration) error

	// AddSearchAttributes adds custom search attributes to the namespace, and
	// returns when they can be used.
	AddSearchAttributes(ctx context.Context, add map[string]enums.IndexedValueType) error

	Close()
}

// Poller is a worker.
type Poller struct {
	Identity string
	Seen     time.Time // when it last asked
}

// doSetup is the command that makes the namespace of a Temporal cluster what it
// should be.
const doSetup = "chef-sync-ctl doctor --setup"

// pollerFresh is how long ago a worker that lives may have asked for work: one
// question lasts a minute.
const pollerFresh = 2 * time.Minute

// temporal looks whether the server answers for the namespace.
func temporal(ctx context.Context, x *exam, _ subject) []Finding {
	t, err := x.temporal()
	if err == nil {
		_, err = t.Pollers(ctx, workflows.TaskQueue(x.Replica))
	}
	var namespace *serviceerror.NamespaceNotFound
	var denied *serviceerror.PermissionDenied
	switch {
	case err == nil:
		return fine("Temporal answers at %s", x.At)
	case errors.As(err, &namespace) && !x.Embedded:
		return failed(doSetup, "Temporal at %s: there is no namespace %s", x.At, namespace.Namespace)
	case errors.As(err, &namespace):
		return failed("temporal operator namespace create --namespace "+namespace.Namespace, "Temporal at %s: there is no namespace %s", x.At, namespace.Namespace)
	case errors.As(err, &denied):
		return failed("temporal config list    # API key and certificates of the profile", "Temporal at %s refuses: %v", x.At, err)
	case x.Embedded:
		return failed("systemctl start ec-syncd", "Temporal at %s does not answer: %v", x.At, err)
	}
	return failed("temporal operator cluster health", "Temporal at %s does not answer: %v", x.At, err)
}

// connected skips what needs Temporal when that is silent.
func connected(ctx context.Context, x *exam, _ subject) string {
	t, err := x.temporal()
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, x.limit())
		defer cancel()
		_, err = t.Pollers(ctx, workflows.TaskQueue(x.Replica))
	}
	if err != nil {
		return "Temporal does not answer for the namespace: see temporal"
	}
	return ""
}

// attributes looks whether the list page can show pairs by organization.
func attributes(ctx context.Context, x *exam, _ subject) []Finding {
	t, err := x.temporal()
	if err != nil {
		return skipped("see temporal")
	}
	have, err := t.SearchAttributes(ctx)
	if err != nil {
		return skipped("the search attributes may not be read: if ec-syncd may not either, pairs set none, and all else works: %v", err)
	}
	var missing []string
	want := workflows.SearchAttributes()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if have[name] != want[name] {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		fix := doSetup
		if x.Embedded {
			fix = "systemctl restart ec-syncd"
		}
		return warning(fix,
			"search attributes are missing: pairs cannot be listed by %s; all else works", strings.Join(missing, ", "))
	}
	return fine("the namespace has all search attributes")
}

// worker looks whether an ec-syncd does the replica's work, and which.
func worker(ctx context.Context, x *exam, _ subject) []Finding {
	t, err := x.temporal()
	if err != nil {
		return skipped("see temporal")
	}
	queue := workflows.TaskQueue(x.Replica)
	pollers, err := t.Pollers(ctx, queue)
	if err != nil {
		return failed("", "task queue %s: %v", queue, err)
	}
	var old []string
	lives := 0
	for _, p := range pollers {
		if x.now().Sub(p.Seen) >= pollerFresh {
			continue
		}
		lives++
		if v, ok := version.OfWorker(p.Identity); ok && v != x.Version.Version && !slices.Contains(old, v) {
			old = append(old, v)
		}
	}
	switch {
	case lives == 0:
		return failed("systemctl start ec-syncd", "no ec-syncd asks for work of task queue %s: nothing is replicated", queue)
	case len(old) > 0:
		return warning("systemctl restart ec-syncd", "ec-syncd is version %s, and this is %s", strings.Join(old, " and "), x.Version.Version)
	}
	return fine("an ec-syncd asks for work of task queue %s", queue)
}
