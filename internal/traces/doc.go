// Package traces says with OpenTelemetry what a replicator did, and how long each part
// of it took: one span for each activity of Temporal, and below it one for each HTTP
// exchange with a Chef server.
//
// A trace of a pair is one page: the Poll that found it, and what was fetched and applied
// for it. What begins without a page (unsynced objects that are tried again, a
// verification, an event for the webhook) is a trace of its own. The workflow of a pair
// runs for ever and is no span: its trace would not end either.
//
// Which activities belong together is decided in the workflow, from its history alone,
// and travels in a header of the activity. The header changes nothing of what a workflow
// does, so that traces may be turned on and off under pairs that run.
//
// A Poll that found nothing leaves nothing. So that this can be known, spans are made
// when their activity ends.
//
// Spans hold numbers, kinds of things, names of organizations and IDs of Temporal. They
// hold no names of objects, no URLs, no headers, no bodies and no texts of errors.
package traces
