package config

import (
	"encoding/json"
	"errors"
	goflag "flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chef-sync/chef-sync/internal/object"
)

var update = goflag.Bool("update", false, "write the golden files")

// TestGolden reads each testdata/*.rb and compares what comes of it, the
// configuration or the problems, with the golden file.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.rb")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := outcome(t, src)
			golden := strings.TrimSuffix(file, ".rb") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("outcome (-want +got, -update accepts it):\n%s", diff)
			}
		})
	}
}

// outcome is the configuration as JSON, or the problems. A new kind of object
// does not change it.
func outcome(t *testing.T, src []byte) string {
	t.Helper()
	c, err := Parse("/etc/chef-sync/chef-sync.rb", src)
	if err != nil {
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("Parse: %T is not Problems: %v", err, err)
		}
		return strings.ReplaceAll(err.Error(), kindNames(), "(all kinds)") + "\n"
	}
	shown := struct {
		*Config
		Settings map[string]PairSettings
	}{c, settingsOf(c)}
	for name, s := range shown.Settings {
		s.Scope.Kinds = shorten(s.Scope.Kinds)
		shown.Settings[name] = s
	}
	data, err := json.MarshalIndent(shown, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

// settingsOf are the settings of each pair, and those of a pair that c does not
// have.
func settingsOf(c *Config) map[string]PairSettings {
	out := map[string]PairSettings{"(all)": c.Settings(object.Pair{})}
	for _, p := range c.Pairs {
		out[p.Destination] = c.Settings(p)
	}
	return out
}

// shorten writes all for the default kinds.
func shorten(kinds []object.Kind) []object.Kind {
	isDefault := func(k object.Kind) bool { return !k.OnRequest() }
	for _, k := range object.DefaultKinds() {
		if !slices.Contains(kinds, k) {
			return kinds
		}
	}
	return append([]object.Kind{"all"}, slices.DeleteFunc(slices.Clone(kinds), isDefault)...)
}

func TestDefaults(t *testing.T) {
	c := Defaults()
	if c.PollInterval != 10*time.Second || c.DeepInterval != 10*time.Minute || c.Server.AuthSkew != 15*time.Minute {
		t.Errorf("intervals: poll %v, deep %v, skew %v", c.PollInterval, c.DeepInterval, c.Server.AuthSkew)
	}
	if got, want := c.StagingURL, "file:///var/opt/chef-sync/ec_sync_client/staging"; got != want {
		t.Errorf("StagingURL = %q, want %q", got, want)
	}
	want := PairSettings{
		Scope: object.Scope{Kinds: object.DefaultKinds()}, Extras: ExtrasKeep, DeleteLimit: DeleteLimit{Percent: 10, Objects: 20},
	}
	if diff := cmp.Diff(want, c.Settings(object.Pair{Destination: "acme"})); diff != "" {
		t.Errorf("settings of a pair (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(object.DefaultKinds(), (&Config{}).Settings(object.Pair{}).Scope.Kinds); diff != "" {
		t.Errorf("kinds of the zero Config (-want +got):\n%s", diff)
	}
	if c.Primary.User != "ec_sync_user" || !c.Replica.HasOrganizations || !c.Temporal.Embedded() {
		t.Errorf("servers: %+v %+v, Temporal %+v", c.Primary, c.Replica, c.Temporal)
	}
}

// TestSettings checks that the table is usable as documentation: each setting
// once, with a sentence, and with a default that the file accepts.
func TestSettings(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Settings() {
		if seen[s.Name] {
			t.Errorf("%s stands twice in the table", s.Name)
		}
		seen[s.Name] = true
		if !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: the documentation %q is no sentence", s.Name, s.Doc)
		}
		if s.Effective == (s.Why != "") {
			t.Errorf("%s: effective %v, but why is %q", s.Name, s.Effective, s.Why)
		}
		src := "role :master\n" + s.Name + " = " + s.Default
		if s.Name == "role" {
			src = Example + src
		}
		if c, err := Parse("x.rb", []byte(src)); err != nil {
			t.Errorf("default is not accepted: %s\n%v", src, err)
		} else if !c.IsSet(s.Name) {
			t.Errorf("%s: IsSet is false after setting it", s.Name)
		}
	}
}

func TestExample(t *testing.T) {
	c, err := Parse(DefaultFile, []byte(Example))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Notices) > 0 || len(c.Pairs) != 1 {
		t.Errorf("notices %v, pairs %v; want none and one", c.Notices, c.Pairs)
	}
}

func TestLoadMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chef-sync.rb")
	_, err := Load(file)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), Example) {
		t.Errorf("Load of no file: %v", err)
	}
	if _, err := Load(filepath.Dir(file)); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("Load of a directory: %v", err)
	}
	if err := os.WriteFile(file, []byte(Example), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(file); err != nil || c.File != file {
		t.Errorf("Load = %+v, %v", c, err)
	}
}

func TestPair(t *testing.T) {
	c := &Config{Pairs: []object.Pair{
		{Source: "a", Destination: "x"}, {Source: "a", Destination: "y"}, {Source: "b", Destination: "z"}, {Source: "c", Destination: "b"},
	}}
	for org, want := range map[string]string{"x": "x", "b": "b", "c": "b", "a": "", "none": ""} {
		got, ok := c.Pair(org)
		if got.Destination != want || ok != (want != "") {
			t.Errorf("Pair(%q) = %v, %v; want destination %q", org, got, ok, want)
		}
	}
}

// TestPrintParses checks that a printed configuration reads back as the same
// one, and that the printed form for people holds no secret.
func TestPrintParses(t *testing.T) {
	for _, file := range []string{"testdata/full.rb", "testdata/original.rb", "testdata/master.rb", "testdata/minimal.rb", "testdata/scope.rb"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Parse(DefaultFile, src)
		if err != nil {
			t.Fatal(err)
		}
		printed := want.print(func(_ row, v node) node { return v })
		got, err := Parse(DefaultFile, []byte(printed))
		if err != nil {
			t.Fatalf("%s printed:\n%s\n%v", file, printed, err)
		}
		opts := cmp.Options{cmpopts.IgnoreUnexported(Config{}), cmpopts.IgnoreFields(Config{}, "Notices")}
		if diff := cmp.Diff(want, got, opts); diff != "" {
			t.Errorf("%s read back (-want +got):\n%s\nfrom\n%s", file, diff, printed)
		}
		if diff := cmp.Diff(settingsOf(want), settingsOf(got)); diff != "" {
			t.Errorf("%s: settings read back (-want +got):\n%s\nfrom\n%s", file, diff, printed)
		}
		if shown := want.Ruby(); strings.Contains(shown, "hush") || strings.Contains(shown, "s3cr3t") {
			t.Errorf("%s: Ruby shows a secret:\n%s", file, shown)
		}
	}
}
