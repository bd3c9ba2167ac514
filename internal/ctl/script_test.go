package ctl

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chef-sync/chef-sync/internal/version"
)

var update = flag.Bool("update", false, "write what chef-sync-ctl prints into the scripts")

// TestScripts runs chef-sync-ctl in this process against a fake Temporal, at
// noon of a fixed day. Besides the usual commands, scripts have
//
//	temporal FILE       makes the namespace that FILE describes in JSON
//	chef-sync-ctl …     must exit with 0, or with ! with anything else
//	code N              the exit code of the last chef-sync-ctl was N
//	calls               prints what was asked of Temporal since the last calls
//
// those of [serverCommands], and the variables TERMINAL (in,out,err), WIDTH (its columns), ANSWER (what is typed there), WATCH (how
// many looks --watch takes), and those of chef-sync-ctl.
func TestScripts(t *testing.T) {
	t.Parallel()
	var one sync.Mutex // the library's --help is one variable for all
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		UpdateScripts:      *update,
		Setup: func(e *testscript.Env) error {
			w := &world{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), t: e.T().(testing.TB)}
			w.temporal = &fake{now: w.now, Down: "the script has no temporal"}
			e.Values[worldKey{}] = w
			e.Setenv("TEMPORAL_CONFIG_FILE", e.WorkDir+"/no-temporal.toml")
			return nil
		},
		Cmds: withServers(map[string]func(*testscript.TestScript, bool, []string){
			program: func(ts *testscript.TestScript, neg bool, args []string) {
				one.Lock()
				defer one.Unlock()
				runProgram(ts, neg, args)
			},
			"temporal": makeTemporal,
			"code":     wantCode,
			"calls":    printCalls,
		}),
	})
}

// world is what one script lives in.
type world struct {
	t        testing.TB
	temporal *fake
	servers  *servers // nil until a script starts them
	target   Target
	code     int

	mu    sync.Mutex
	at    time.Time
	looks int
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// sleep lets time pass at once. It ends like an interrupt after so many looks.
func (w *world) sleep(_ context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.looks--; w.looks == 0 {
		return context.Canceled
	}
	w.at = w.at.Add(d)
	return nil
}

func (w *world) connect(_ context.Context, t Target) (Temporal, error) {
	w.target = t
	if w.temporal.Down != "" {
		return nil, errors.New(w.temporal.Down)
	}
	w.temporal.calls = append(w.temporal.calls, fmt.Sprintf("connect %s namespace=%s", t.Address, t.Namespace))
	return w.temporal, nil
}

func runProgram(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	w.looks, _ = strconv.Atoi(ts.Getenv("WATCH"))
	terminal := strings.Split(ts.Getenv("TERMINAL"), ",")
	a := &App{
		Stdin: strings.NewReader(ts.Getenv("ANSWER")), Stdout: ts.Stdout(), Stderr: ts.Stderr(),
		Terminal:      Terminal{In: slices.Contains(terminal, "in"), Out: slices.Contains(terminal, "out"), Err: slices.Contains(terminal, "err")},
		Columns:       func() int { n, _ := strconv.Atoi(ts.Getenv("WIDTH")); return n },
		Connect:       w.connect,
		Now:           w.now,
		Sleep:         w.sleep,
		Env:           scriptEnv{ts},
		DefaultConfig: ts.MkAbs("chef-sync.rb"),
		Host:          "here",
		SuperuserKey:  ts.MkAbs("pivotal.pem"),
		Version:       version.Info{Version: "1.2.3", Commit: "cafe", Go: "go1.99"},
	}
	w.code = a.Run(context.Background(), append([]string{program}, args...)) //nolint:forbidigo // no *testing.T here
	if (w.code != 0) != neg {
		ts.Fatalf("exit code %d", w.code)
	}
}

// scriptEnv is the environment of a script. The SDK asks for all of it only to
// find gRPC headers.
type scriptEnv struct{ ts *testscript.TestScript }

func (e scriptEnv) Environ() []string { return nil }

func (e scriptEnv) LookupEnv(name string) (string, bool) {
	v := e.ts.Getenv(name)
	return v, v != ""
}

func makeTemporal(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	f, err := newFake(w.now, []byte(ts.ReadFile(args[0])))
	ts.Check(err)
	w.temporal = f
}

func wantCode(ts *testscript.TestScript, _ bool, args []string) {
	if got := strconv.Itoa(worldOf(ts).code); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

func printCalls(ts *testscript.TestScript, _ bool, _ []string) {
	f := worldOf(ts).temporal
	fmt.Fprint(ts.Stdout(), strings.Join(f.calls, "\n")+"\n")
	f.calls = nil
}
