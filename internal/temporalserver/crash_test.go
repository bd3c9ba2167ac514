//go:build !noembed

package temporalserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
)

// TestKilledServer kills a process with a server and a running workflow in it,
// and starts the next server on what is left: the workflow runs on, and the options
// of the next server are in force.
func TestKilledServer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two Temporal servers")
	}
	// Characters that mean something in a file: URI or in a glob pattern.
	dir := filepath.Join(t.TempDir(), "work dir 100%?#[x]*")
	kill := startHelper(t, dir)

	s, err := Start(t.Context(), Options{Dir: dir, Port: -1, NoUI: true})
	if err == nil {
		s.Stop()
	}
	if !errors.Is(err, ErrLocked) || !strings.Contains(fmt.Sprint(err), "by process ") {
		t.Errorf("second process: got error %v, want ErrLocked with a process ID", err)
	}
	kill()
	leaveUnfinishedDatabase(t, dir)

	const retention = 48 * time.Hour
	var logs logBuffer
	begin := time.Now()
	s, err = Start(t.Context(), Options{
		Dir: dir, Port: -1, NoUI: true, Retention: retention, Logger: logs.logger(),
		SearchAttributes: map[string]enums.IndexedValueType{
			"ChefOrg": enums.INDEXED_VALUE_TYPE_KEYWORD, "ChefSeq": enums.INDEXED_VALUE_TYPE_INT,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	t.Logf("ready after %s, with a new search attribute", time.Since(begin).Round(time.Millisecond))
	c, w, err := startWorker(s)
	if err != nil {
		t.Fatal(err)
	}
	finish(t, c, "before-kill")
	if _, err := startFollow(t.Context(), c, "after-kill", 43); err != nil {
		t.Fatal(err)
	}
	finish(t, c, "after-kill")
	checkRetention(t, c, retention)
	w.Stop()
	c.Close()
	s.Stop()
	// Once more in this process: the plugin has kept its connection to the file.
	if s, err = Start(t.Context(), Options{Dir: dir, Port: -1, NoUI: true, Logger: logs.logger()}); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if lines := logs.take(); lines != "" {
		t.Errorf("logged:\n%s", lines)
	}
	checkFiles(t, dir)
}

// startHelper runs serveUntilKilled in a process of its own and returns when it
// serves. The function it returns is kill -9.
func startHelper(t *testing.T, dir string) (kill func()) {
	t.Helper()
	helper := exec.CommandContext(t.Context(), os.Args[0])
	helper.Env = append(os.Environ(), helperDir+"="+dir)
	helper.Stderr = os.Stderr
	stdout, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = helper.Process.Kill()
		_ = helper.Wait()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("helper process: got %q, %v; want ready", line, err)
	}
	return kill
}

// serveUntilKilled starts a server with one search attribute fewer than the test
// will ask for, and a workflow, says "ready", and never returns.
func serveUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := Start(ctx, Options{
		Dir: dir, Port: -1, NoUI: true,
		SearchAttributes: map[string]enums.IndexedValueType{"ChefOrg": enums.INDEXED_VALUE_TYPE_KEYWORD},
	})
	if err != nil {
		return err
	}
	c, _, err := startWorker(s)
	if err != nil {
		return err
	}
	if _, err := startFollow(ctx, c, "before-kill", 0); err != nil {
		return err
	}
	runtime.GC() // the lock must not depend on somebody remembering s
	fmt.Println("ready")
	select {}
}

// leaveUnfinishedDatabase does what a crash during the very first start does.
func leaveUnfinishedDatabase(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, databaseName())
	if err := os.WriteFile(path+".unfinished-1", []byte("half a schema"), 0o600); err != nil {
		t.Fatal(err)
	}
	// createDatabase only looks for these when there is no database yet.
	empty := t.TempDir()
	other := filepath.Join(empty, databaseName())
	if err := os.Rename(path+".unfinished-1", other+".unfinished-1"); err != nil {
		t.Fatal(err)
	}
	if err := createDatabase(other); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, empty)
}

// checkFiles checks that dir holds the files of the package doc and nothing else,
// and that nobody else can read them.
func checkFiles(t *testing.T, dir string) {
	t.Helper()
	name := databaseName()
	allowed := map[string]bool{name: true, name + "-wal": true, name + "-shm": true, name + ".lock": true}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !allowed[entry.Name()] {
			t.Errorf("unexpected file %s", entry.Name())
		}
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %o", entry.Name(), mode)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		t.Error(err)
	}
}
