//go:build !noembed

package temporalserver

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// fileLock is a lock on a file that the kernel takes back when the process ends,
// however it ends. It is a bare descriptor and no os.File, which would be closed
// by the garbage collector once a caller forgets its Server, with that still running.
type fileLock int

// lockFile takes the lock at path, or returns ErrLocked with the holder's process
// ID in the message. The file stays for ever: removing it would let two processes
// lock two files of the same name.
func lockFile(path string) (fileLock, error) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder := readHolder(fd)
		syscall.Close(fd)
		return 0, fmt.Errorf("%w by %s (lock file %s): another ec-syncd has this working directory; "+
			"stop it, or give this one a working directory of its own", ErrLocked, holder, path)
	}
	if err == nil {
		err = writeHolder(fd)
	}
	if err != nil {
		syscall.Close(fd)
		return 0, fmt.Errorf("lock %s: %w", path, err)
	}
	return fileLock(fd), nil
}

// release gives the lock to whoever wants it next.
func (l fileLock) release() { _ = syscall.Close(int(l)) }

// writeHolder replaces the content of the lock file by this process's ID, for the
// message that another process prints.
func writeHolder(fd int) error {
	if err := syscall.Ftruncate(fd, 0); err != nil {
		return err
	}
	_, err := syscall.Pwrite(fd, []byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readHolder names the process that wrote the lock file. The file may be empty in
// the instant between locking and writing.
func readHolder(fd int) string {
	var content [32]byte
	n, _ := syscall.Pread(fd, content[:], 0)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(content[:max(n, 0)]))); err == nil {
		return fmt.Sprintf("process %d", pid)
	}
	return "another process"
}
