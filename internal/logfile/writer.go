package logfile

import (
	"os"
	"slices"
	"sync"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

// Writer writes a log, and rotates it. Make one with [NewWriter].
type Writer struct {
	path string
	most int64
	keep int
	now  func() time.Time

	mu      sync.Mutex
	file    *lumberjack.Logger
	size    int64
	rotated time.Time
}

// NewWriter returns a writer of the log at path, which is made with the first line.
// A line that would make it larger than maxBytes begins a new file; keep old ones
// stay, 0 keeps all. The directory is read for that when a file is rotated and not
// when it is opened: of thousands of logs each would look at all of them.
func NewWriter(path string, maxBytes int64, keep int) *Writer {
	w := &Writer{path: path, most: maxBytes, keep: keep, now: time.Now, file: &lumberjack.Logger{
		Filename: path, MaxSize: 1 << 40, // in MiB: it counts in no smaller unit, so the writer counts
	}}
	if info, err := os.Stat(path); err == nil {
		w.size = info.Size()
	}
	return w
}

// Write writes whole lines. It may be called by several goroutines.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// The name of an old file holds the millisecond: two of one would be one.
	if w.size > 0 && w.size+int64(len(p)) > w.most && w.now().Sub(w.rotated) > 2*time.Millisecond {
		if err := w.file.Rotate(); err != nil {
			return 0, err
		}
		w.size, w.rotated = 0, w.now() // it was named before that
		w.prune()
	}
	n, err := w.file.Write(p)
	w.size += int64(n)
	return n, err
}

// prune removes the oldest files beyond those to be kept. What it cannot remove now,
// the next rotation tries again.
func (w *Writer) prune() {
	files, err := Files(w.path)
	if w.keep <= 0 || err != nil {
		return
	}
	old := slices.DeleteFunc(files, func(name string) bool { return name == w.path })
	for _, name := range old[:max(len(old)-w.keep, 0)] {
		_ = os.Remove(name) // as the function says
	}
}

// Close closes the file. Another Write opens it again.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.Close()
}
