// Package watch looks at the pairs of a replica as Temporal knows them, again and
// again, for the metrics and the webhook. Its parts:
//
//	look      what one pair's workflow and its pending Poll tell
//	judge     pure: what of that somebody should hear of
//	Watcher   asks no more than so many pairs a second, however many there are
//
// It changes nothing and adds nothing to the history of a pair: it queries and
// describes. What the webhook is told goes through an IncidentWorkflow, so that
// several ec-syncd, and one that is restarted, tell each thing once.
package watch
