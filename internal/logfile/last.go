package logfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
)

// block is how much is read at a time.
const block = 64 << 10

// Last returns the last n lines of the log at path that f chooses, oldest first, and
// an open file behind the last of them to go on from; see [Tail]. It reads from the
// end, rotated files too, and no further than it must. It returns an error that is
// fs.ErrNotExist if there is no such log.
func Last(path string, n int, f Filter) ([]Line, *Tail, error) {
	files, err := Files(path)
	if err != nil {
		return nil, nil, err
	}
	if len(files) == 0 {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	var out []Line
	tail := &Tail{path: path}
	for i, name := range slices.Backward(files) {
		file, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was the oldest just now, or is renamed; what is new is read by the tail
		}
		if err != nil {
			return nil, nil, err
		}
		size, err := file.Seek(0, io.SeekEnd)
		more := false
		if err == nil {
			more, err = backward(file, size, func(l Line) bool {
				if f.Has(l) && len(out) < n {
					out = append(out, l)
				}
				return len(out) < n && !f.over(l)
			})
		}
		if i == len(files)-1 && err == nil {
			tail.file = file
			_, err = file.Seek(size, io.SeekStart)
		} else {
			_ = file.Close() // it was only read
		}
		if err != nil {
			_ = tail.Close()
			return nil, nil, err
		}
		if !more {
			break
		}
	}
	slices.Reverse(out)
	return out, tail, nil
}

// backward calls do with the lines of a file before end, the last one first, until
// it returns false, and reports whether it never did. Bytes behind the last newline
// are a line, too.
func backward(r io.ReaderAt, end int64, do func(Line) bool) (more bool, err error) {
	var rest []byte // the beginning of a line whose end has been read
	for end > 0 {
		size := min(end, block)
		buf := make([]byte, size, size+int64(len(rest)))
		if _, err := r.ReadAt(buf, end-size); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		end -= size
		buf = append(buf, rest...)
		for {
			i := bytes.LastIndexByte(buf, '\n')
			if i < 0 {
				break
			}
			if line := buf[i+1:]; len(line) > 0 && !do(Parse(slices.Clone(line))) {
				return false, nil
			}
			buf = buf[:i]
		}
		rest = buf
	}
	return len(rest) == 0 || do(Parse(slices.Clone(rest))), nil
}
