// Package pace decides when a request may go to a server, so that the server is
// not hurt by being copied: so many requests at a time, so many in a second, so
// many bytes of files in a second, and none while the server has asked to be left
// alone (Retry-After).
//
// A [Server] is shared by all who ask one server in this process. The number of
// requests at a time adapts: it is halved when the server says that it has too
// much to do, or takes much longer than it can, and grows again one by one.
//
//	what ended                             at a time
//	429, 5xx, no answer                    half, once for all that were under way
//	small reads slower than [tooSlow]      half, likewise
//	20 answers in a row without that       one more, up to [Limits.Parallel]
//
// It knows nothing of HTTP. What is counted is this process alone: two processes
// that ask one server are two.
package pace
