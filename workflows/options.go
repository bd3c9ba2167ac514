package workflows

import (
	"cmp"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// TaskQueue is the task queue of the workers of a replica.
func TaskQueue(replica string) string { return "chef-sync/" + replica }

// HostQueue is the task queue of those workers of a replica that hold a staging
// store which others cannot reach.
func HostQueue(replica, store string) string { return TaskQueue(replica) + "@" + store }

// Options are knobs of a SyncWorkflow. They are part of its input and never
// change while it runs; the zero value means the defaults.
type Options struct {
	// Limits bounds the batches.
	Limits plan.Limits `json:"limits"`

	// MaxUnsynced bounds the list of unsynced objects. On overflow the pair
	// forgets the rest and compares everything again later, so that nothing is
	// lost. 0 = 1,000.
	MaxUnsynced int `json:"max_unsynced,omitempty"`

	// RetryFirst and RetryMost bound the back-off of an unsynced object.
	// 0 = 15 s and 1 h.
	RetryFirst time.Duration `json:"retry_first,omitempty"`
	RetryMost  time.Duration `json:"retry_most,omitempty"`

	// Once ends the workflow when everything was compared and copied once, the
	// feed has nothing new, and unsynced objects were tried a few times. Their list
	// can still be queried then.
	Once bool `json:"once,omitempty"`

	// FromHead has a new pair follow from the feed's head, without the full
	// comparison that a pair begins with otherwise. What differs by then stays so
	// until it changes, or until everything is compared for another reason. Not
	// with Once.
	FromHead bool `json:"from_head,omitempty"`

	// SearchAttributes says that the namespace has the search attributes of a pair
	// that was started before [versionAttributes]. A later one asks its worker.
	SearchAttributes bool `json:"search_attributes,omitempty"`
}

const (
	defaultMaxUnsynced = 1000
	defaultRetryFirst  = 15 * time.Second
	defaultRetryMost   = time.Hour
)

func (o Options) orDefault() Options {
	if o.MaxUnsynced <= 0 {
		o.MaxUnsynced = defaultMaxUnsynced
	}
	if o.RetryFirst <= 0 {
		o.RetryFirst = defaultRetryFirst
	}
	if o.RetryMost <= 0 {
		o.RetryMost = defaultRetryMost
	}
	return o
}

// roomForDoubts is how many more objects than MaxUnsynced are remembered of batches
// whose Apply broke off: as many as one batch has.
func (o Options) roomForDoubts() int {
	return cmp.Or(max(o.Limits.Objects, 0), plan.DefaultBatchObjects)
}

// The search attributes of a SyncWorkflow, for the list page of the Web UI and
// temporal workflow list.
var (
	attrOrganization = temporal.NewSearchAttributeKeyKeyword("ChefSyncOrganization")
	attrReplica      = temporal.NewSearchAttributeKeyKeyword("ChefSyncReplica")
	attrMode         = temporal.NewSearchAttributeKeyKeyword("ChefSyncMode")
	attrLag          = temporal.NewSearchAttributeKeyInt64("ChefSyncLag")
	attrUnsynced     = temporal.NewSearchAttributeKeyInt64("ChefSyncUnsynced")
)

// SearchAttributes returns the search attributes that a namespace should have.
func SearchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		attrOrganization.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD,
		attrReplica.GetName():      enums.INDEXED_VALUE_TYPE_KEYWORD,
		attrMode.GetName():         enums.INDEXED_VALUE_TYPE_KEYWORD,
		attrLag.GetName():          enums.INDEXED_VALUE_TYPE_INT,
		attrUnsynced.GetName():     enums.INDEXED_VALUE_TYPE_INT,
	}
}

// heartbeatTimeout is how long a worker may be silent before its activity is
// given to another. Activities report every two seconds.
const heartbeatTimeout = 15 * time.Second

// hostTimeout is how long a worker that holds what is needed may be away, before
// another one begins anew with what it has.
const hostTimeout = 2 * time.Minute

// pollOptions are those of Poll: attempts for ever, because waiting for changes
// consists of attempts, each of which names the time of the next one itself. On a
// host's queue, each has to begin in time.
//
// beat is how often it reports, as the last one said. Where there are many pairs
// that is less often, and a dead worker's polls are given to another later.
func pollOptions(in, queue string, beat time.Duration) workflow.ActivityOptions {
	o := workflow.ActivityOptions{
		Summary:             in,
		TaskQueue:           queue,
		StartToCloseTimeout: 30 * time.Minute, // a full listing of a large organization
		HeartbeatTimeout:    min(max(heartbeatTimeout, 3*beat), time.Minute),
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 1, // after a worker died
		},
	}
	if queue != "" {
		o.ScheduleToStartTimeout = hostTimeout
	}
	return o
}

// batchOptions are those of Fetch and Apply. What a few attempts cannot do is
// the pair's trouble: the workflow says so and waits.
func batchOptions(summary, queue string) workflow.ActivityOptions {
	o := workflow.ActivityOptions{
		Summary:             summary,
		TaskQueue:           queue,
		StartToCloseTimeout: 2 * time.Hour, // a batch of large files over a thin line
		HeartbeatTimeout:    heartbeatTimeout,
		WaitForCancellation: true, // so that no write happens after stop was answered
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 20 * time.Second,
			MaximumAttempts: 5,
		},
	}
	if queue != "" {
		// The host that staged the batch may never come back; then it is fetched
		// again by another.
		o.ScheduleToStartTimeout = hostTimeout
	}
	return o
}

// StaticSummary is the line that the Web UI shows for a pair.
func StaticSummary(p object.Pair) string {
	return "keeps " + p.String() + " on replica " + p.Replica + " equal to the primary"
}

// StartOptions are those to start a pair's workflow with. attributes says that
// the namespace has [SearchAttributes], so that the pair is found by them before
// a worker takes it up. A workflow of the pair that runs already is left running.
func StartOptions(p object.Pair, attributes bool) client.StartWorkflowOptions {
	o := client.StartWorkflowOptions{
		ID: p.WorkflowID(), TaskQueue: TaskQueue(p.Replica),
		StaticSummary: StaticSummary(p), StaticDetails: staticDetails,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
	if attributes {
		o.TypedSearchAttributes = temporal.NewSearchAttributes(
			attrOrganization.ValueSet(p.Destination), attrReplica.ValueSet(p.Replica))
	}
	return o
}

// staticDetails is what the Web UI shows of every pair: how to steer it from
// there.
const staticDetails = `Signals, none of which needs input:

- **stop** ends writing after the batch under way and keeps the cursor; **start** goes on from there
- **sync_now** looks for changes at once and tries unsynced objects again
- **approve_deletes** lets a halted pair delete what it asks about, **drop_deletes** go on without
- **forget_cursor** compares everything anew
- **remove** ends this workflow; the replica keeps its objects

Queries: **status**, **unsynced**.

A pending Poll that "fails" with *up to date* is a pair that waits for changes: it costs no history that way.
`
