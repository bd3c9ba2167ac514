// Package ctl is chef-sync-ctl, the command line with which operators watch and
// steer the pairs of a replica: one file per command, over a [Temporal] of a few
// methods. It reads chef-sync.rb to learn which pairs there are and where
// Temporal runs. What steers could be done with the temporal CLI and the signals
// and queries of package workflows as well. Only what compares (diff,
// unsynced-objects --deep) speaks to the Chef servers, by itself and without
// Temporal, and it only reads.
//
// What an operator reads goes to the standard output, as a table or as JSON;
// warnings, questions and errors go to the error output. Nothing needs a
// terminal. [App.Run] returns the exit code; they are listed in errors.go and
// in --help.
package ctl
