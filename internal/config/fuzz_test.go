package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzParse is best run with -fuzzminimizetime 10x: coverage differs a little from
// run to run, and minimizing would take the time of fuzzing.
//
// It checks that no input breaks the parser, that each problem has a message and a
// place inside the file, that what was understood can be shown, with problems or
// without, and that what is accepted can be printed and read back.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.rb")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Add("master_headers('X' => \"\\x00\", \"\\u{41}\": 1)\r\n%w<a b>;;=begin")
	f.Add("a do\nb if\nend\nend <<X\nX")
	f.Add(Example + "organizations [{ source: 'a', nodes: true, acls: false, kinds: %i[role acl], delete_limit: { percent: 0 }, thaw: 1 }]")
	f.Add(Example + "verify_at '24:00'; include ['/roles/[a', '/x', 'y', \"/roles/\\x01*\"]; exclude '/data/*/b'")
	f.Fuzz(func(t *testing.T, src string) {
		partly, _ := parse("x.rb", []byte(src))
		checkShown(t, partly)
		want, err := Parse("x.rb", []byte(src))
		if err != nil {
			checkProblems(t, src, err)
			return
		}
		printed := want.print(func(_ row, v node) node { return v })
		got, err := Parse("x.rb", []byte(printed))
		if err != nil {
			t.Fatalf("printed:\n%s\n%v", printed, err)
		}
		opts := cmp.Options{cmpopts.IgnoreUnexported(Config{}), cmpopts.IgnoreFields(Config{}, "Notices"), cmpopts.EquateEmpty()}
		if diff := cmp.Diff(want, got, opts); diff != "" {
			t.Fatalf("read back (-want +got):\n%s\nfrom\n%s", diff, printed)
		}
		if diff := cmp.Diff(settingsOf(want), settingsOf(got), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("settings read back (-want +got):\n%s\nfrom\n%s", diff, printed)
		}
	})
}

// checkProblems checks that an error consists of complete problems, each at a
// character of the file or right behind its line.
func checkProblems(t *testing.T, src string, err error) {
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%T is not Problems: %v", err, err)
	}
	lines := strings.Split(src, "\n")
	for _, p := range problems {
		if p.Message == "" || p.Hint == "" || p.File != "x.rb" || p.Line < 0 || p.Line > 0 && p.Column < 1 {
			t.Errorf("incomplete problem: %+v", p)
		}
		if p.Line > len(lines) || p.Line > 0 && p.Column > utf8.RuneCountInString(lines[p.Line-1])+1 {
			t.Errorf("problem outside the file of %d lines: %s", len(lines), p)
		}
	}
}

// checkShown checks that each setting can be shown, and comes from somewhere.
func checkShown(t *testing.T, c *Config) {
	all := c.Effective()
	for _, p := range c.Pairs {
		all = append(all, c.EffectiveOf(p)...)
	}
	for _, e := range all {
		if e.Source == FromFile && e.Line < 1 || e.Source == FromSetting && e.Via == "" || e.Literal != "" && e.Name == "" {
			t.Errorf("incomplete: %+v", e)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		if e.Literal == "" && e.Value != nil {
			t.Errorf("%s was not understood, and is %v", e.Name, e.Value)
		}
	}
}
