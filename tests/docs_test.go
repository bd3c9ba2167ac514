package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInID   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestDocumentationLinks: each relative link of the documentation leads to a file
// that is there, and to a heading that the file has.
func TestDocumentationLinks(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("documentation: %d files, %v", len(files), err)
	}
	more, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, file := range append(files, more...) {
		for _, m := range mdLink.FindAllStringSubmatch(readDoc(t, file), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			name, heading, _ := strings.Cut(m[1], "#")
			to := file
			if name != "" {
				to = filepath.Join(filepath.Dir(file), name)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			} else if heading != "" && !hasHeading(readDoc(t, to), heading) {
				t.Errorf("%s links to %s, but the file has no such heading", file, m[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links were found", links)
	}
}

// TestOperationsIndex: docs/operations.md names every other page of docs/.
func TestOperationsIndex(t *testing.T) {
	index := readDoc(t, "../docs/operations.md")
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name != "operations.md" && !strings.Contains(index, "]("+name) {
			t.Errorf("docs/operations.md does not name %s", name)
		}
	}
}

// hasHeading says whether a heading of text has the id that GitHub gives it.
func hasHeading(text, id string) bool {
	for _, m := range mdHeading.FindAllStringSubmatch(text, -1) {
		slug := notInID.ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(slug, " ", "-") == id {
			return true
		}
	}
	return false
}

func readDoc(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
