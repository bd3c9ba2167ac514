// Package logfile knows the log files of ec-syncd: how they are called, how they
// are rotated, and how they are read again, from the end, across rotations, while
// they grow. It does not know what is logged; see package telemetry.
//
// A log is a file of lines, each one object of JSON with time, level, msg and
// attributes. When it is full it is renamed, with the time of that in its name,
// and a new one begins:
//
//	ec-syncd.log                            everything that is of no organization
//	ec-syncd-2026-11-23T12-00-00.000.log    what it was before noon
//	sync-acme.log                           what is of the pair that writes acme
package logfile
