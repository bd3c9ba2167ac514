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
	return &pacedReader{ctx: ctx, from: r, server: s}
}

// pacedReader is what [Server.Reader] returns. The context is that of the one
// transfer that it is made for.
type pacedReader struct {
	ctx    context.Context
	from   io.Reader
	server *Server
}

// Read reads a little and waits until so much may have been read.
func (r *pacedReader) Read(p []byte) (int, error) {
	s := r.server
	n, err := r.from.Read(p[:min(len(p), s.chunk)])
	if n == 0 {
		return n, err
	}
	if waitErr := s.take(r.ctx, s.bytes, n, &s.waitedByte); waitErr != nil {
		return 0, waitErr
	}
	return n, err
}
