package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/report"
)

// keptReports is how many reports of a pair are kept; a month of nights.
const keptReports = 31

// VerifyReport writes a report below Settings.ReportDir, as text and as JSON, and
// returns where; "" if there is no such directory in the settings. Repeating it
// writes the same files. Older reports than the last 31 of the pair are removed.
func (a *Activities) VerifyReport(ctx context.Context, r report.Report) (string, error) {
	dir := a.Settings.ReportDir
	if dir == "" {
		return "", nil
	}
	name := reportPrefix(r) + r.Started.UTC().Format("20060102T150405Z")
	r.File = filepath.Join(dir, name)
	if err := writeReport(r); err != nil {
		return "", fmt.Errorf("write the report of the verification: %w", err)
	}
	if err := pruneReports(dir, reportPrefix(r)); err != nil {
		a.log(r.Pair).WarnContext(ctx, "old reports stay", "dir", dir, "err", err)
	}
	return r.File, nil
}

func reportPrefix(r report.Report) string { return "verify-" + r.Pair.Destination + "-" }

func writeReport(r report.Report) error {
	if err := os.MkdirAll(filepath.Dir(r.File), 0o750); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := r.Text(&text); err != nil {
		return err
	}
	for ending, content := range map[string][]byte{".json": append(data, '\n'), ".txt": text.Bytes()} {
		// Nobody sees half a report.
		if err := os.WriteFile(r.File+ending+".part", content, 0o640); err != nil { //nolint:gosec // the group may read it
			return err
		}
		if err := os.Rename(r.File+ending+".part", r.File+ending); err != nil {
			return err
		}
	}
	return nil
}

// pruneReports removes all but the latest reports whose names begin with prefix
// and go on with a time.
func pruneReports(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		rest, ours := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".json"), prefix)
		if ours && len(rest) == len("20060102T150405Z") && rest != e.Name() && strings.HasSuffix(e.Name(), ".json") {
			names = append(names, strings.TrimSuffix(e.Name(), ".json"))
		}
	}
	slices.Sort(names)
	for _, n := range names[:max(len(names)-keptReports, 0)] {
		for _, ending := range []string{".json", ".txt"} {
			if err := os.Remove(filepath.Join(dir, n+ending)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	return nil
}
