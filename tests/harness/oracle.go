package harness

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Chef's identifier for files
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/object"
)

// Dump reads everything that a server holds through its API, cookbook files by
// the MD5 of the bytes it serves. It shares no code with the engine: it uses the
// client for signing and single requests only, and plain net/http for files. It
// reads the kinds that every pair replicates, and those of more. What a server
// cannot hold, and says so as goiardi does, is empty.
func Dump(t testing.TB, c *chef.Client, more ...object.Kind) map[string]string {
	t.Helper()
	d := &dumper{t: t, c: c, out: map[string]string{}}
	for _, name := range d.list("roles") {
		d.object("/roles/" + name)
	}
	for _, name := range d.list("environments") {
		d.object("/environments/" + name)
	}
	for _, bag := range d.list("data") {
		d.out["/data/"+bag] = "bag"
		for _, id := range d.list("data/" + bag) {
			d.object("/data/" + bag + "/" + id)
		}
	}
	d.cookbooks()
	d.artifacts()
	d.policies()
	for _, kind := range more {
		d.onRequest(kind)
	}
	return d.out
}

// DiffDumps returns one line per difference of two dumps.
func DiffDumps(primary, replica map[string]string) []string {
	var out []string
	for _, path := range slices.Sorted(maps.Keys(primary)) {
		switch got, ok := replica[path]; {
		case !ok:
			out = append(out, path+": missing on the replica")
		case got != primary[path]:
			out = append(out, fmt.Sprintf("%s:\n\tprimary %s\n\treplica %s", path, primary[path], got))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(replica)) {
		if _, ok := primary[path]; !ok {
			out = append(out, path+": only on the replica")
		}
	}
	return out
}

type dumper struct {
	t   testing.TB
	c   *chef.Client
	out map[string]string
}

// notEverywhere are the lists for which goiardi has an empty answer.
var notEverywhere = []string{"/cookbook_artifacts", "/policies", "/policy_groups"}

// vanished stands for an object that was listed and gone when it was read, which
// is no error while a replicator is deleting.
const vanished = "vanished while it was read"

// get reads one body; it is false of one that is not there.
func (d *dumper) get(path string, into any) bool {
	d.t.Helper()
	path, query, _ := strings.Cut(path, "?")
	var q map[string][]string
	if query != "" {
		k, v, _ := strings.Cut(query, "=")
		q = map[string][]string{k: {v}}
	}
	resp, err := d.c.Do(d.t.Context(), http.MethodGet, path, q, nil)
	if chef.IsNotFound(err) || slices.Contains(notEverywhere, path) && errors.Is(err, chef.ErrNotChef) && strings.Contains(err.Error(), "empty") {
		return false
	}
	if err != nil {
		d.t.Fatalf("dump: %v", err)
	}
	d.decode(path, resp.Body, into)
	return true
}

// decode keeps the digits of numbers.
func (d *dumper) decode(path string, body []byte, into any) {
	d.t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		d.t.Fatalf("dump %s: %v", path, err)
	}
}

func (d *dumper) list(path string) []string {
	d.t.Helper()
	var m map[string]any
	d.get("/"+path, &m)
	return slices.Sorted(maps.Keys(m))
}

// object keeps the body with sorted keys; numbers keep their digits.
func (d *dumper) object(path string) {
	d.t.Helper()
	var v any
	if !d.get(path, &v) {
		d.out[path] = vanished
		return
	}
	d.out[path] = encode(d.t, v)
}

func (d *dumper) cookbooks() {
	d.t.Helper()
	var all map[string]struct {
		Versions []struct{ Version string }
	}
	d.get("/cookbooks?num_versions=all", &all)
	for name, cb := range all {
		for _, v := range cb.Versions {
			path := "/cookbooks/" + name + "/" + v.Version
			var m map[string]any
			if !d.get(path, &m) {
				d.out[path] = vanished
				continue
			}
			d.out[path] = d.cookbook(path, m)
		}
	}
}

// cookbook describes a manifest of either form by what counts in it.
func (d *dumper) cookbook(path string, m map[string]any) string {
	d.t.Helper()
	var files []string
	for _, v := range m {
		entries, ok := v.([]any)
		if !ok {
			continue
		}
		for _, e := range entries {
			f, ok := e.(map[string]any)
			if !ok || f["checksum"] == nil {
				continue
			}
			url, _ := f["url"].(string)
			files = append(files, fmt.Sprintf("%v %v %v %s", f["path"], f["specificity"], f["checksum"], d.sum(path, url)))
		}
	}
	slices.Sort(files)
	return encode(d.t, map[string]any{
		"frozen": m["frozen?"], "metadata": m["metadata"], "version": m["version"], "identifier": m["identifier"], "files": files,
	})
}

// sum downloads a file and returns the MD5 of what came.
func (d *dumper) sum(path, url string) string {
	d.t.Helper()
	resp, err := http.Get(url) //nolint:gosec,noctx // a server of this test
	if err != nil {
		d.t.Fatalf("dump %s: %v", path, err)
	}
	defer resp.Body.Close()
	h := md5.New() //nolint:gosec // see the import
	if _, err := io.Copy(h, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("unreadable (%d, %v)", resp.StatusCode, err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
