// Package bench measures ec-syncd against a bare loop that makes only the calls
// that nobody can do without (./bare), both as processes of their own, on the same
// servers and in the same run:
//
//	make bench                               the tables, some 25 minutes
//	go test ./tests/bench -run '^$' -bench . -benchtime 1x -args -quick
//
// The second line takes a small size, to see that it works at all. Further
// arguments: -rounds N, -parallel N. The environment's CHEF_SYNC_BENCH_SCALE
// multiplies the size of large organizations, which take ten minutes: 0.1.
//
// A round copies one organization to a fresh, empty replica with one of the two,
// then with the other. What they have copied is then compared by an oracle that
// goes past both, so that a fast wrong answer fails. Wall times depend on the
// machine and on what else runs there; the ratios of medians of interleaved
// rounds, the numbers of requests, and those of history events do not, or little.
//
// A large organization and one of a tenth of it are copied once, with a look at
// what ec-syncd holds in memory on the way, and verified when they are equal, in
// turn with a bare loop that reads what a proof of equality cannot do without.
//
// One ec-syncd with 100, 500 and 2,000 pairs (make bench-scale) idles, and has some of
// them change at once. What a burst costs is its processor time less that of idling as
// long.
//
// The time of ec-syncd is that from the start of a pair's workflow to the query
// that says that it follows, and its processor time includes that of the Temporal
// server inside. The in-process Chef servers run in the process that measures.
package bench
