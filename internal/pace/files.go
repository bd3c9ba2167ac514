package pace

import (
	"context"
	"io"
)

// maxChunk is the most bytes that are moved at once where bytes are limited.
const maxChunk = 32 << 10

// Reader returns r at the pace of the server: a Read returns when what it has read
// may have moved, or with the error of ctx. Without a limit it is r itself.
func (s *Server) Reader(ctx context.Context, r io.Reader) io.Reader {
	if s.bytes == nil {
		return r
	}
	return readFunc(func(p []byte) (int, error) {
		n, err := r.Read(p[:min(len(p), s.chunk)])
		if n == 0 {
			return n, err
		}
		if waitErr := s.take(ctx, s.bytes, n, &s.waitedByte); waitErr != nil {
			return 0, waitErr
		}
		return n, err
	})
}

// readFunc is a reader that is one function.
type readFunc func([]byte) (int, error)

// Read calls f.
func (f readFunc) Read(p []byte) (int, error) { return f(p) }
