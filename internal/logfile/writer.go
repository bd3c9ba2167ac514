package logfile

import (
	"os"
	"sync"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

// Writer writes a log, and rotates it. Make one with [NewWriter].
type Writer struct {
	most int64
	now  func() time.Time

	mu      sync.Mutex
	file    *lumberjack.Logger
	size    int64
	rotated time.Time
}

// NewWriter returns a writer of the log at path, which is made with the first line.
// A line that would make it larger than maxBytes begins a new file; keep old ones
// stay, 0 keeps all.
func NewWriter(path string, maxBytes int64, keep int) *Writer {
	w := &Writer{most: maxBytes, now: time.Now, file: &lumberjack.Logger{
		Filename: path, MaxBackups: keep, MaxSize: 1 << 40, // in MiB: it counts in no smaller unit, so the writer counts
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
	if now := w.now(); w.size > 0 && w.size+int64(len(p)) > w.most && now.Sub(w.rotated) > 2*time.Millisecond {
		if err := w.file.Rotate(); err != nil {
			return 0, err
		}
		w.size, w.rotated = 0, now
	}
	n, err := w.file.Write(p)
	w.size += int64(n)
	return n, err
}

// Close closes the file. Another Write opens it again.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.Close()
}
