package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// run is what belongs to the process rather than to one test.
var run struct {
	sync.Mutex
	dir      string
	watchdog *os.File // the write end of the pipe that the watchdog reads
	ports    ports
	builds   map[string]*build
	keys     *keypair
	pg       *PG
}

// watchdogScript waits until the test process is gone and its end of the pipe is
// closed with it; then it ends the processes whose ids are file names in pids,
// and removes the directory. PostgreSQL takes SIGQUIT as "at once"; so does
// every other program.
const watchdogScript = `
cat >/dev/null
for f in "$1"/pids/*; do kill -QUIT "${f##*/}"; done
for i in 1 2 3 4 5 6 7 8 9 10; do
	alive=
	for f in "$1"/pids/*; do kill -0 "${f##*/}" && alive=1; done
	test -z "$alive" && break
	sleep 0.2
done
for f in "$1"/pids/*; do kill -KILL "${f##*/}"; done
rm -rf "$1"`

// runDir returns the directory of the run. Other users may pass through it, not
// list it: PostgreSQL refuses to run as root.
func runDir(t testing.TB) string {
	t.Helper()
	run.Lock()
	defer run.Unlock()
	if run.dir == "" {
		dir, watchdog, err := newRunDir()
		if err != nil {
			t.Fatalf("harness: %v", err)
		}
		run.dir, run.watchdog = dir, watchdog
	}
	return run.dir
}

func newRunDir() (string, *os.File, error) {
	dir, err := os.MkdirTemp("", "chef-sync-test-")
	if err != nil {
		return "", nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "pids"), 0o700); err != nil {
		return "", nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", nil, err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", watchdogScript, "watchdog", dir)
	cmd.Stdin = r
	// A process group of its own: Ctrl-C is for the tests, not for what cleans up
	// after them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start watchdog: %w", err)
	}
	return dir, w, cmd.Process.Release()
}

// A process is one server that the run started. It has no goroutine, so that
// tests which look for leaked goroutines may use this package.
type process struct {
	pid  int
	note string // the file that tells the watchdog of it
}

// spawn starts a process with its output appended to a file.
func spawn(dir string, cmd *exec.Cmd, logFile string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, note: filepath.Join(dir, "pids", strconv.Itoa(cmd.Process.Pid))}
	if err := os.WriteFile(p.note, nil, 0o600); err != nil {
		p.signal(syscall.SIGKILL)
		return nil, err
	}
	return p, cmd.Process.Release()
}

// signal sends a signal, unless the process is gone.
func (p *process) signal(s syscall.Signal) {
	if p.pid != 0 {
		_ = syscall.Kill(p.pid, s) // it may have ended just now
	}
}

// exited reports whether the process has ended.
func (p *process) exited() bool {
	if p.pid == 0 {
		return true
	}
	pid, err := syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
	if pid == 0 && err == nil || err == syscall.EINTR {
		return false
	}
	p.pid = 0
	_ = os.Remove(p.note)
	return true
}

// end sends a signal and waits until the process is gone; after patience it is
// killed.
func (p *process) end(s syscall.Signal) {
	p.signal(s)
	if !eventually(patience, p.exited) {
		p.signal(syscall.SIGKILL)
		eventually(patience, p.exited)
	}
}
