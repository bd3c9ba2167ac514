// Package temporalserver runs a Temporal server and its Web UI inside this
// process, so that one binary on one host is all that chef-sync needs.
//
// It is the server of any Temporal cluster (all four services, from
// go.temporal.io/server), with SQLite underneath instead of PostgreSQL. It
// survives kill -9: SQLite runs with a write-ahead log and synchronous=1, so
// that only a power cut may cost the last commits, and never the file.
//
// # Files
//
// The working directory holds
//
//	temporal-1.32.db         the database; -wal and -shm beside it are SQLite's
//	temporal-1.32.db.lock    held while a process uses the database
//
// The server's minor version stands in the name because its SQLite schema has no
// migrations: an old file under a newer server ends in SQL errors at run time. A
// newer chef-sync therefore starts with an empty database, and the older one finds
// its own again. Nothing is lost with an empty one: the operator
// starts the organizations again, and a new workflow compares before it writes.
//
// # Network
//
// Everything listens on 127.0.0.1 and has no authentication: who has an account
// on the host can read and steer workflows. gRPC and the Web UI have fixed ports,
// the internal services take free ones. Nothing calls home: the server's version
// check and the Web UI's news are off.
//
// # What it does not do
//
// No TLS, no archival, no replication between clusters, no second process on the
// same database. Whoever needs these runs a Temporal cluster and sets its address.
// A process that has used a database file keeps it open until it exits, as
// Temporal's SQLite plugin never closes a connection; in-memory databases stay
// allocated for the same reason. So do not remove a database under a process that
// will start the server again.
//
// # Build tag noembed
//
// Compiling the server costs minutes and over a hundred megabytes of binary. With
// the tag noembed this package keeps its API, Embedded returns false, and Start
// returns ErrNotEmbedded. No other package imports go.temporal.io/server.
package temporalserver
