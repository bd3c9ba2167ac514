// Package webui lets tests look at the Temporal Web UI as an operator does: it opens
// a page in Debian's headless Chromium and reads what stands there.
//
// # Pages
//
// What an operator finds where, seen with ui-server v2.55.0 (TestWebUI keeps this
// list true). NS is the namespace, ID the workflow ID with its slashes escaped as
// %2F, RUN the run ID; all paths begin with /namespaces/NS/workflows.
//
//	(nothing more)           the list: status, workflow ID, run ID, type, start, end
//	?query=QUERY             the list, filtered: ChefOrg = "acme" AND ChefSeq > 7
//	/ID/RUN                  leads to timeline
//	/ID/RUN/timeline         attempt, type and summary of activities on a time axis
//	/ID/RUN/history          events, with the summaries of the workflow and of its
//	                         activities; above them the pending activity with its
//	                         attempt and the seconds to its next retry
//	/ID/RUN/user-metadata    static summary, static details, current details
//	/ID/RUN/search-attributes  all of the workflow's, as JSON
//	/ID/RUN/pending-activities type, attempt, time of the next retry, last attempt,
//	                         last worker, last failure
//
// # What to know when writing for it
//
// The list has no columns for own search attributes until someone adds them with
// "Configure Columns"; each browser keeps its own choice (see ShowColumns). A link
// with ?query= needs none.
//
// Summaries and details are Markdown, tables included. Each text is rendered in a
// frame with a style sheet of its own, and travels there in the frame's address,
// so details should stay within a few kilobytes. An activity's summary is shown on
// timeline and history, not on pending-activities.
//
// Current details are the answer of a query: they need a running worker. The page
// says when it asked, and asks again when the reader presses R.
//
// The last failure of a pending activity is JSON, one line per field, the message
// first. A failure of the category BENIGN with a delay is shown like any other: so
// the message is the place to say that all is well.
package webui
