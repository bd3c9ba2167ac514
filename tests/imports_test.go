// Package tests holds what needs more than one package to be tested.
package tests

import (
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/chef-sync/chef-sync"

// allowed is the direction of dependencies: a package imports, of this module,
// only what stands on its line. A package that is not here fails the test, so
// that a new room gets its place in the house on purpose.
var allowed = map[string][]string{
	"internal/object":      {},
	"internal/maintenance": {},
	"internal/pace":        {},
	"internal/chef":        {"internal/pace"},
	"internal/plan":        {"internal/object"},
	"internal/config":      {"internal/maintenance", "internal/object"},

	// The in-process server shares no code with the client: a shared bug would
	// hide itself.
	"internal/chefserver":             {},
	"internal/chefserver/chefserverd": {"internal/chefserver"},
	"internal/kinds":                  {"internal/object", "internal/chef", "internal/plan"},
	"internal/replicate/staging":      {"internal/object"},
	"internal/replicate":              {"internal/object", "internal/chef", "internal/plan", "internal/kinds", "internal/replicate/staging"},
	"internal/feed":                   {"internal/object", "internal/chef", "internal/kinds", "internal/replicate/staging"},
	"internal/feedserver/changelog":   {"internal/object"},
	"internal/feedserver":             {"internal/chef", "internal/feedserver/changelog"},
	"internal/feedserver/primary":     {},
	"internal/prepare":                {"internal/chef"},
	"internal/logfile":                {},
	"internal/telemetry":              {"internal/logfile", "internal/object"},
	"internal/traces":                 {"activities", "internal/chef"},
	"internal/temporalserver":         {},
	"internal/webhook":                {},
	"internal/watch":                  {"activities", "workflows", "internal/object", "internal/telemetry"},
	"internal/version":                {},
	"activities":                      {"internal/maintenance", "internal/pace", "internal/object", "internal/chef", "internal/plan", "internal/feed", "internal/kinds", "internal/replicate", "internal/replicate/staging", "internal/report"},
	"workflows":                       {"activities", "internal/object", "internal/plan", "internal/replicate", "internal/report"},
	"internal/report":                 {"internal/object", "internal/plan", "internal/replicate"},
	"internal/codecserver":            {},
	"internal/connect":                {"activities", "internal/pace", "internal/object", "internal/chef", "internal/config", "internal/feed", "internal/plan", "internal/replicate", "internal/replicate/staging"},
	"internal/daemon":                 {"activities", "internal/pace", "workflows", "internal/object", "internal/config", "internal/connect", "internal/feedserver", "internal/feedserver/changelog", "internal/feedserver/primary", "internal/replicate/staging", "internal/telemetry", "internal/temporalserver", "internal/traces", "internal/version", "internal/watch", "internal/webhook"},
	"internal/doctor":                 {"workflows", "internal/object", "internal/chef", "internal/config", "internal/feedserver", "internal/feedserver/changelog", "internal/feedserver/primary", "internal/replicate/staging", "internal/version"},
	"internal/ctl":                    {"activities", "workflows", "internal/object", "internal/chef", "internal/codecserver", "internal/config", "internal/connect", "internal/doctor", "internal/feedserver", "internal/feedserver/changelog", "internal/feedserver/primary", "internal/kinds", "internal/logfile", "internal/plan", "internal/prepare", "internal/replicate", "internal/report", "internal/version"},
	"internal/demo/sample":            {"internal/chef"},
	"internal/demo":                   {"workflows", "internal/object", "internal/chefserver", "internal/config", "internal/connect", "internal/daemon", "internal/demo/sample", "internal/replicate", "internal/replicate/staging", "internal/temporalserver"},
	"worker":                          {"internal/config", "internal/daemon", "internal/demo", "internal/telemetry", "internal/temporalserver", "internal/version"},
	"starter":                         {"internal/ctl"},
	"tests/certs":                     {},
	"tests/harness":                   {"internal/chef", "internal/chefserver", "internal/object"},
	"tests/webui":                     {"tests/harness"},
	"tests/bench":                     {},
	"tests/bench/bare":                {}, // no code of what it is compared with
	"tests/integration":               {},
	"tests/replay":                    {},
	"tests/property":                  {},
	"tests/packages":                  {},
	"tests/compose":                   {},
	"internal/feed/feedtest":          {"internal/object", "internal/chef", "internal/chefserver", "internal/feed", "internal/kinds", "internal/plan", "tests/harness"},
}

// forbidden are imports that a package must not have, and why.
var forbidden = []struct{ pkg, prefix, why string }{
	{"workflows", "net/http", "workflows are deterministic; activities touch the world"},
	{"workflows", "os", "workflows are deterministic; activities touch the world"},
	{"workflows", "math/rand", "workflows are deterministic"},
	{"internal/plan", "net/http", "plan is pure"},
	{"internal/plan", "os", "plan is pure"},
	{"internal/plan", "time", "plan has no clock"},
}

// only says which packages may import something at all.
var only = []struct {
	prefix string
	pkgs   []string
	why    string
}{
	{"go.temporal.io/server", []string{"internal/temporalserver"}, "it takes minutes to compile"},
	{"github.com/temporalio/ui-server", []string{"internal/temporalserver"}, "it takes minutes to compile"},
	{"github.com/urfave/cli", []string{"internal/ctl", "worker"}, "command lines are the outermost layer"},
}

// TestImports reads every file with go/parser. A test that shelled out to
// "go list" would be answered from the test cache.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for file, imports := range goFiles(t) {
		pkg := path.Dir(file)
		seen[pkg] = true
		may, known := allowed[pkg]
		if !known {
			t.Errorf("%s: package %s has no line in the table of this test", file, pkg)
			continue
		}
		for _, imp := range imports {
			if own, ok := strings.CutPrefix(imp, module+"/"); ok && !slices.Contains(may, own) {
				t.Errorf("%s: %s must not import %s", file, pkg, own)
			}
			for _, f := range forbidden {
				if f.pkg == pkg && under(imp, f.prefix) {
					t.Errorf("%s: %s must not import %s: %s", file, pkg, imp, f.why)
				}
			}
			for _, o := range only {
				if under(imp, o.prefix) && !slices.Contains(o.pkgs, pkg) {
					t.Errorf("%s: only %v may import %s: %s", file, o.pkgs, imp, o.why)
				}
			}
		}
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("the table names %s, which does not exist", pkg)
		}
	}
}

func under(imp, prefix string) bool { return imp == prefix || strings.HasPrefix(imp, prefix+"/") }

// goFiles returns the imports of every Go file of the module that is no test,
// by its path from the module's root.
func goFiles(t *testing.T) map[string][]string {
	t.Helper()
	root := ".."
	out := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "repo" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))
		out[rel] = []string{}
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			out[rel] = append(out[rel], imp)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("found only %d files below %s", len(out), root)
	}
	return out
}

// TestEveryPackageIsDocumented looks for a package comment in every package.
func TestEveryPackageIsDocumented(t *testing.T) {
	for pkg := range allowed {
		p, err := build.Default.ImportDir(filepath.Join("..", filepath.FromSlash(pkg)), build.ImportComment)
		if err != nil {
			t.Errorf("%s: %v", pkg, err)
			continue
		}
		if p.Doc == "" {
			t.Errorf("package %s has no doc comment", pkg)
		}
	}
}
