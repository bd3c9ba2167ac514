// Package harness starts real, foreign servers for tests: PostgreSQL and
// goiardi, a Chef server by other authors. It knows nothing of this project's
// own code, so that every package's tests may use it.
//
// What a test needs and the machine lacks is installed ([Require]); a test is
// never skipped for a missing tool. Callers skip under -short, as each start
// takes seconds.
//
// A run, which is one test binary, has one directory, one PostgreSQL cluster and
// one build of each program; servers belong to the test that asked for them.
// When the run's process ends, in whatever way, a watchdog kills what it started
// and removes the directory: no TestMain is needed, and kill -9 leaves nothing
// behind.
//
// The package runs on Unix systems; it installs on Debian and its descendants.
package harness
