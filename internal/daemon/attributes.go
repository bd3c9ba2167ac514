package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/workflows"
)

const (
	// attributesInterval is how often the namespace is asked for its search
	// attributes. Somebody may add or remove some at any time.
	attributesInterval = 20 * time.Second

	attributesTimeout = 5 * time.Second
)

// attributes knows which search attributes workflows may set. It adds none: a
// namespace may be shared, and `chef-sync-ctl doctor --setup` is an operator's word.
type attributes struct {
	list func(context.Context) (map[string]enums.IndexedValueType, error)
	log  *slog.Logger

	known atomic.Pointer[[]string]
	told  string // what the log was last told
}

// newAttributes asks for the search attributes of a namespace for the first time.
// Without an answer there are none, and look may know better later.
func newAttributes(ctx context.Context, c client.Client, namespace string, log *slog.Logger) *attributes {
	a := &attributes{log: log, list: func(ctx context.Context) (map[string]enums.IndexedValueType, error) {
		got, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
		return got.GetCustomAttributes(), err
	}}
	a.look(ctx)
	return a
}

// names returns those of [workflows.SearchAttributes] that the namespace has.
func (a *attributes) names() []string {
	if known := a.known.Load(); known != nil {
		return *known
	}
	return nil
}

// watch looks again and again, until ctx ends.
func (a *attributes) watch(ctx context.Context) {
	t := time.NewTicker(attributesInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			a.look(ctx)
		}
	}
}

// look asks the namespace. What was known stays known if it does not answer.
func (a *attributes) look(ctx context.Context) {
	lctx, cancel := context.WithTimeout(ctx, attributesTimeout)
	defer cancel()
	have, err := a.list(lctx)
	if err != nil {
		if ctx.Err() == nil && a.known.Load() == nil && a.tell("unread") {
			a.log.WarnContext(ctx, "search attributes cannot be read: pairs set none, and all else works", "err", err,
				"hint", "may ec-syncd list the search attributes of this namespace?")
		}
		return
	}
	var names, missing []string
	want := workflows.SearchAttributes()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if have[name] == want[name] {
			names = append(names, name)
		} else {
			missing = append(missing, name)
		}
	}
	a.known.Store(&names)
	switch was := a.told; {
	case !a.tell(strings.Join(missing, " ")):
	case len(missing) > 0:
		a.log.WarnContext(ctx, "search attributes are missing: pairs cannot be listed by them, and all else works",
			"missing", a.told, "hint", "chef-sync-ctl doctor --setup")
	case was != "":
		a.log.InfoContext(ctx, "the namespace has all search attributes now")
	}
}

// tell reports whether the log has yet to hear this.
func (a *attributes) tell(what string) bool {
	was := a.told
	a.told = what
	return was != what
}
