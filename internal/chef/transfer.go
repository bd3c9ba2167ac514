package chef

import (
	"bytes"
	"errors"
	"hash"
	"io"
	"sync"
)

// A hashingReader is the body of an upload: it remembers what was read of it.
// The transport may still read it when the answer has come.
type hashingReader struct {
	from  io.Reader // of file
	file  io.Closer
	moved func()

	mu   sync.Mutex
	hash hash.Hash
	n    int64
	eof  bool
	done bool // the transport wants no more of it
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
	if errors.Is(err, io.EOF) {
		r.eof = true
	} else if err != nil && !r.done {
		r.err = err
	}
	return n, err
}

// Close closes the file. A read that is under way may fail for it, which is not
// the file's fault.
func (r *hashingReader) Close() error {
	r.mu.Lock()
	r.done = true
	r.mu.Unlock()
	return r.file.Close()
}

// verdict returns the file's own error, or [ErrChecksum] if what was read cannot
// be the file of the given size and MD5. A file that was not read to its end
// passes: the other side may have broken off.
func (r *hashingReader) verdict(size int64, sum []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	if r.n > size || r.eof && r.n < size || r.n == size && !bytes.Equal(r.hash.Sum(nil), sum) {
		return ErrChecksum
	}
	return nil
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

// A failingReader cannot be read.
type failingReader struct{ err error }

// Read returns the error.
func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

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
