package workflows

// The versions of the workflow's logic. A change that alters what a running
// workflow does gets a name and a line here, is reached through
// workflow.GetVersion with that name, and comes with a history recorded from
// the release before it (testdata). Numbers only rise.
//
//	(none yet)       the first release
//	clock-put-back   1: what would wait for longer than anything is told to wait is
//	                 due at once. Asked for only where that is so, which no history
//	                 of a clock that runs on has.
//	search-attributes
//	                 1: the worker is asked which search attributes the namespace has,
//	                 the lag is among them, and whoever starts a pair need not know.
//	approval-kept    1: deletes that an operator approved, and that a trouble kept from
//	                 being made, are not asked about again. Asked for only where that
//	                 is so.
//	broken-writes    1: the cookbook versions of a batch whose writing broke off are on
//	                 the list of unsynced objects, to be written whole. 2: so are those
//	                 whose deleting broke off. Asked for only where that is so.
//	touched-pointers 1: what went for a moment while something else was made anew is
//	                 looked at again, also if its own change was of the same page.
//	left-over        1: what a data bag or policy that was made anew holds no longer is
//	                 on the list of unsynced objects until it is deleted.
//	unsynced-full    1: a page with more to be remembered than there is room for is
//	                 taken again, where deletes were forgotten.
//	waited-writes    1: a full comparison does not forget for which writes deletes wait.
//	once-compares    1: a pair that runs once compares what it forgot before it ends.
//	policy-in-use    1: what a policy group may still use on the replica, because it could
//	                 not be moved, is not deleted.
//	dropped-parked   1: if an operator drops the deletes of a full comparison, those that
//	                 wait for something are dropped with them. Like the five before,
//	                 asked for only where that is so.
//	doubts-full      1: a batch of which more could be half written, or half deleted, than
//	                 there is room to remember waits until there is.
//	last-write       1: the last write on a full list of unsynced objects is not forgotten
//	                 to make room for a delete: who looks why all of them wait has to see
//	                 it. Like the one before, asked for only where that is so.
const (
	versionClock = "clock-put-back"
	clockRefloat = 1

	versionAttributes = "search-attributes"
	attributesAsked   = 1

	versionApproval = "approval-kept"
	approvalKept    = 1

	versionBroken  = "broken-writes"
	brokenReplaced = 1
	brokenDeletes  = 2

	versionTouched = "touched-pointers"
	touchedAgain   = 1

	versionLeftOver = "left-over"
	leftOverKept    = 1

	versionFull = "unsynced-full"
	fullWaits   = 1

	versionWaited = "waited-writes"
	waitedKept    = 1

	versionOnce  = "once-compares"
	onceCompares = 1

	versionInUse = "policy-in-use"
	inUseKept    = 1

	versionDropped = "dropped-parked"
	droppedParked  = 1

	versionDoubts = "doubts-full"
	doubtsBounded = 1

	versionLast = "last-write"
	lastKept    = 1
)

// StateFormat numbers how [State] is written. It rises when an older release would
// misread one, or lose what it does not know, by going on; fields that an older
// release may forget do not count. A run that is given a newer one fails its
// workflow tasks until a release that knows it takes over: the state stays as it is.
const StateFormat = 1

// NewerState begins the error of a workflow task that met a newer [StateFormat].
const NewerState = "the state of this pair was written by a newer chef-sync"
