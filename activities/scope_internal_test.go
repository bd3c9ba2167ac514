package activities

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/report"
)

// A pair that replicates something else than before has to compare everything.
func TestAnotherScopeIsAChange(t *testing.T) {
	was, is := object.Identities{Scope: "role"}, object.Identities{Scope: "role,client"}
	if changed(was, is) == "" || changed(was, was) != "" || changed(object.Identities{}, is) != "" {
		t.Error("another scope has to be a change, the same one and one after none are not")
	}
}

// A second look reads files anew: one may have been mended. Otherwise a content is
// read once.
func TestSecondLooksReadFilesAnew(t *testing.T) {
	var a Activities
	in := VerifyInput{Pair: object.Pair{Replica: "sync"}, Place: VerifyPlace{ID: "1"}}
	again := in
	again.Again = []object.Ref{object.MustRef("/roles/r")}
	if first := a.filesOf(in); a.filesOf(in) != first || a.filesOf(again) == first {
		t.Error("pages share what they know of files, and second looks do not")
	}
}

// Reports name what an organization holds: they are not for everybody on the host.
func TestReportsAreNotForEverybody(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports")
	a := Activities{Settings: Settings{ReportDir: dir}, Log: slog.New(slog.DiscardHandler)}
	file, err := a.VerifyReport(t.Context(), report.Report{Pair: object.Pair{Destination: "acme"}, Started: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, file + ".json", file + ".txt"} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s: %v %v; want nothing for others", path, info.Mode(), err)
		}
	}
}
