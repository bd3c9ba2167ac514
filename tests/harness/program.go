package harness

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Program is a process that ends with the test. Its output is in a file.
type Program struct {
	process *process
	log     string
}

// StartProgram starts a command. The test fails if it cannot be started.
func StartProgram(t testing.TB, cmd *exec.Cmd) *Program {
	t.Helper()
	dir, err := os.MkdirTemp(runDir(t), filepath.Base(cmd.Path)+"-")
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	p := &Program{log: filepath.Join(dir, "out")}
	if p.process, err = spawn(runDir(t), cmd, p.log); err != nil {
		t.Fatalf("harness: start %v: %v", cmd.Args, err)
	}
	t.Cleanup(func() {
		p.process.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("the end of what %s wrote:\n%s", filepath.Base(cmd.Path), p.Log())
		}
	})
	return p
}

// Exited reports whether it has ended.
func (p *Program) Exited() bool { return p.process.exited() }

// Kill ends it with SIGKILL.
func (p *Program) Kill() { p.process.end(syscall.SIGKILL) }

// Log returns the end of what it wrote.
func (p *Program) Log() string { return tail(p.log) }

// BuildOfModule builds a main package of one of the modules in go.mod, in the version
// that stands there, and returns the file. What it needs beyond the packages of this
// module is looked up with a copy of go.mod, which stays as it is.
func BuildOfModule(t testing.TB, pkg string) string {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(runDir(t), "modfile")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return BuildBinary(t, pkg, "-modfile", filepath.Join(dir, "go.mod"), "-mod=mod")
}

// ModuleDir returns the directory that holds the source of a module in go.mod.
func ModuleDir(t testing.TB, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	dir := strings.TrimSpace(string(out))
	if err == nil && dir == "" {
		err = errors.New("it is not downloaded")
	}
	if err != nil {
		t.Fatalf("harness: source of %s: %v", module, err)
	}
	return dir
}
