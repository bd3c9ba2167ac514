// Package object is the vocabulary of replication: which kinds of objects a
// Chef organization holds ([Kind]), how one object is named ([Ref]), what a feed
// says happened to it ([Change]), where a replica stands in a feed ([Cursor])
// and which organization is copied to which ([Pair]).
//
// The package holds values only. It does no I/O, knows no server, and imports
// nothing else of this project, so that every other package can speak its words.
package object
