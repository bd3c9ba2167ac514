package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// settingsFile is the document that has every setting, between two marks.
const (
	settingsFile   = "../../docs/settings.md"
	referenceBegin = "<!-- from internal/config: make docs writes what follows -->\n"
	referenceEnd   = "<!-- end -->\n"
)

// TestReference compares the document with the table in the code.
func TestReference(t *testing.T) {
	data, err := os.ReadFile(settingsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), referenceBegin)
	old, after, closed := strings.Cut(rest, referenceEnd)
	if !found || !closed {
		t.Fatalf("%s has no block between %q and %q", settingsFile, referenceBegin, referenceEnd)
	}
	want := reference(Settings())
	if *update {
		if err := os.WriteFile(settingsFile, []byte(before+referenceBegin+want+referenceEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(old, want); diff != "" {
		t.Errorf("%s is not what the code says; make docs (-document +code):\n%s", settingsFile, diff)
	}
}

// reference is the table of settings in Markdown, by groups; those without an
// effect come last.
func reference(all []Setting) string {
	var b, none strings.Builder
	group := ""
	for _, s := range all {
		name := "`" + s.Name + "`"
		if s.PerPair {
			name += " \\*"
		}
		if !s.Effective {
			fmt.Fprintf(&none, "| %s | `%s` | %s |\n", name, s.Default, cellText(s.Why))
			continue
		}
		if s.Group != group {
			fmt.Fprintf(&b, "\n### %s\n\n| setting | default | |\n|---|---|---|\n", s.Group)
			group = s.Group
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", name, s.Default, cellText(s.Doc))
	}
	b.WriteString("\n### Accepted, without effect\n\n| setting | default | why |\n|---|---|---|\n" + none.String() + "\n")
	return b.String()
}

// cellText keeps Markdown from seeing more than text.
func cellText(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;").Replace(s)
}

// TestDocumentedForms reads the example of the document.
func TestDocumentedForms(t *testing.T) {
	data, err := os.ReadFile(settingsFile)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "literals only.\n")
	example, _, found := strings.Cut(rest, "\nValues are")
	if c, err := Parse(DefaultFile, []byte(example)); !found || err != nil || len(c.Pairs) != 2 || c.PollInterval != 10e9 {
		t.Errorf("the example of %s: %v, %v\n%s", settingsFile, err, c, example)
	}
}
