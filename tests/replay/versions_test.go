package replay

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// unrecorded are versions that no recorded history has taken, and why.
var unrecorded = map[string]map[workflow.Version]string{}

// Every version of the workflow is taken by a recorded history, and so is what was
// before it: or else nobody would notice that a pair which runs goes another way.
func TestEveryVersionIsRecorded(t *testing.T) {
	heard := asked{}
	for _, file := range recorded(t) {
		if err := replayed(t, file, &knower{heard: heard.note}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for id, most := range inCode(t) {
		for v := workflow.DefaultVersion; v <= most; v++ {
			_, why := unrecorded[id][v]
			switch {
			case v == 0: // is none
			case !heard[id][v] && !why:
				t.Errorf("no recorded history was told version %d of %s: give it a life (lives_test.go) and record that", v, id)
			case heard[id][v] && why:
				t.Errorf("version %d of %s is recorded: take it off the list of those that are not", v, id)
			}
		}
	}
}

// Code that takes one way only, where it should ask for the version, does not replay
// every recorded history.
func TestAMissingVersionIsNoticed(t *testing.T) {
	for id, most := range inCode(t) {
		for v := workflow.DefaultVersion; v <= most; v++ {
			if v != 0 && !noticed(t, id, v) {
				t.Errorf("code that takes version %d of %s without asking replays all histories", v, id)
			}
		}
	}
}

// noticed reports whether a history does not replay if a version is not asked for.
func noticed(t *testing.T, id string, v workflow.Version) bool {
	for _, file := range recorded(t) {
		if replayed(t, file, &knower{forced: versions{id: v}}) != nil {
			return true
		}
	}
	return false
}

func recorded(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded history: %v", err)
	}
	return files
}

func replayed(t *testing.T, file string, k *knower) error {
	t.Helper()
	r := replayer(t, worker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{k}})
	return r.ReplayWorkflowHistoryFromJSONFile(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), file)
}

// inCode are the versions that the code asks for, and the highest of each. It fails
// for one that is asked for with anything but constants of the package.
func inCode(t *testing.T) versions {
	t.Helper()
	names, err := filepath.Glob("../../workflows/*.go")
	if err != nil {
		t.Fatal(err)
	}
	values, calls := map[string]string{}, []*ast.CallExpr{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i := range min(len(n.Names), len(n.Values)) {
					values[n.Names[i].Name] = types.ExprString(n.Values[i])
				}
			case *ast.CallExpr:
				if types.ExprString(n.Fun) == "workflow.GetVersion" {
					calls = append(calls, n)
				}
			}
			return true
		})
	}
	out := versions{}
	for _, call := range calls {
		name, number := types.ExprString(call.Args[1]), types.ExprString(call.Args[3])
		id, err := strconv.Unquote(values[name])
		most, err2 := strconv.Atoi(values[number])
		if err != nil || err2 != nil {
			t.Fatalf("a version is asked for as (%s, %s): name both in version.go", name, number)
		}
		out[id] = max(out[id], workflow.Version(most))
	}
	if len(out) == 0 {
		t.Fatal("the code asks for no version: is it elsewhere now?")
	}
	return out
}
