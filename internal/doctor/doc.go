// Package doctor looks at everything that chef-sync needs on a host and on the
// servers it speaks to, and says of each whether it is as it should be and, if
// not, what mends it. No check changes anything; [Setup], which comes before the
// checks if it is asked for, makes a Temporal namespace what they expect.
//
// The checks are the rows of [table]. A new one is a row and a function: it gets
// a subject (a server, an organization on one, a pair, or nothing in particular)
// and returns findings. Checks run side by side, each with a time limit of its
// own; what they have in common (a connection, a look at a server) is done once.
// A check that cannot be made because of another one is skipped and names it, so
// that one cause is one failure.
package doctor
