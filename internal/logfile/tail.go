package logfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Tail follows a log, through rotations. It is no goroutine: whoever follows asks for
// [Tail.New] from time to time.
type Tail struct {
	path string
	file *os.File // nil: none is open; begin with the first there is
	rest []byte   // a line without its end
}

// NewTail returns a tail of a log that need not exist yet; all of its lines are new.
func NewTail(path string) *Tail { return &Tail{path: path} }

// New returns the lines that were written since it was last called, or since the tail
// was made.
func (t *Tail) New() ([]Line, error) {
	var out []Line
	for {
		if t.file == nil {
			if err := t.open(t.path); err != nil || t.file == nil {
				return out, err
			}
		}
		lines, err := t.read()
		out = append(out, lines...)
		if err != nil {
			return out, err
		}
		next, err := t.next()
		if err != nil || next == "" {
			return out, err
		}
		// It is a rotated file by now: what was written before that is to be read still.
		if lines, err = t.read(); err != nil {
			return out, err
		}
		out = append(out, lines...)
		_ = t.Close() // it was only read
		if err := t.open(next); err != nil {
			return out, err
		}
	}
}

func (t *Tail) open(name string) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not yet, or between a rename and the new file
	}
	t.file, t.rest = file, nil
	return err
}

// read reads what the open file has more by now.
func (t *Tail) read() ([]Line, error) {
	data, err := io.ReadAll(t.file)
	if err != nil {
		return nil, err
	}
	t.rest = append(t.rest, data...)
	var out []Line
	for {
		line, rest, ok := bytes.Cut(t.rest, []byte("\n"))
		if !ok {
			return out, nil
		}
		if t.rest = rest; len(line) > 0 {
			out = append(out, Parse(slices.Clone(line)))
		}
	}
}

// next is the file that follows the open one in age; "" if that is the newest.
func (t *Tail) next() (string, error) {
	is, err := t.file.Stat()
	if err != nil {
		return "", err
	}
	files, err := Files(t.path)
	if err != nil {
		return "", err
	}
	for i, name := range files {
		info, err := os.Stat(name)
		if err != nil || !os.SameFile(info, is) {
			continue
		}
		if i+1 < len(files) {
			return files[i+1], nil
		}
		return "", nil
	}
	if len(files) > 0 { // ours was removed: all that are there are younger
		return files[0], nil
	}
	return "", nil
}

// Close closes the open file, if there is one.
func (t *Tail) Close() error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	return err
}
