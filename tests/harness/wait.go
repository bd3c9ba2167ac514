package harness

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// patience bounds every wait for a server: far more than a slow, busy machine
// needs, so that reaching it is an error.
const patience = 60 * time.Second

// eventually asks until the answer is yes; it reports whether it was in time.
func eventually(limit time.Duration, yes func() bool) bool {
	for deadline := time.Now().Add(limit); ; {
		if yes() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// owns reports whether the process listens on a port of 127.0.0.1. Where a port
// was taken by somebody else in the meantime, that one's answers must not pass
// for ours. On systems without /proc the answer is always yes.
func (p *process) owns(port int) bool {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return true
	}
	local := fmt.Sprintf("0100007F:%04X", port)
	for line := range strings.Lines(string(table)) {
		const listening = "0A"
		f := strings.Fields(line)
		if len(f) > 9 && f[1] == local && f[3] == listening && p.hasSocket(f[9]) {
			return true
		}
	}
	return false
}

// hasSocket reports whether one of the process's files is the socket.
func (p *process) hasSocket(inode string) bool {
	dir := fmt.Sprintf("/proc/%d/fd/", p.pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		return os.IsPermission(err) // another user's process cannot be looked into
	}
	for _, f := range files {
		if target, _ := os.Readlink(dir + f.Name()); target == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}

// tail returns the last lines of a log file.
func tail(file string) string {
	const lines = 40
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
