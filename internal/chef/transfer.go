package chef

import (
	"errors"
	"hash"
	"io"
	"sync"
)

// A hashingReader is the body of an upload: it remembers what was read of it.
// The transport may still read it when the answer has come.
type hashingReader struct {
	from  io.ReadCloser
	moved func()

	mu   sync.Mutex
	hash hash.Hash
	n    int64
	err  error
}

// Read reads from the file and calls moved.
func (r *hashingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.moved()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hash.Write(p[:n])
	r.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// Close closes the file.
func (r *hashingReader) Close() error { return r.from.Close() }

// state returns how many bytes were read, and the file's own error, if any.
func (r *hashingReader) state() (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n, r.err
}

func (r *hashingReader) sum() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hash.Sum(nil)
}

// A movingReader calls moved for each piece that it reads.
type movingReader struct {
	from  io.Reader
	moved func()
}

// Read reads from the wrapped reader.
func (r *movingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		r.moved()
	}
	return n, err
}

// A failingWriter remembers an error of the writer, to tell it from one of the
// reader.
type failingWriter struct {
	to  io.Writer
	err error
}

// Write writes to the wrapped writer.
func (w *failingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}
