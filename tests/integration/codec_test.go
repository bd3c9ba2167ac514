package integration

import (
	"crypto/rand"
	"encoding/base64"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// plantedRole is a name that must not be in Temporal in the clear.
const plantedRole = "planted-role-name"

// A pair that ran without the codec goes on with it: chef-sync-ctl says all, and
// Temporal holds no names. Without the keys the pair waits and says what is missing,
// and with them it goes on.
func TestCodec(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	d := &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{})}
	d.write = harness.Write(t, d.primary.Client)
	d.write.Small()
	replica, sideOfReplica := d.telltale(d.replica)
	off, on := "", "temporal['codec_key_file'] = '"+codecKeys(t)+"'\n"
	d.syncd = harness.NewSyncd(t, d.primary.Side(), sideOfReplica, "poll_interval 1\n"+off)
	d.start()
	d.equal("in the clear")

	d.restart(d.primary.Side(), sideOfReplica, on)
	replica.set(func(_ int, r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, "/roles") && r.Method == http.MethodPost {
			return http.StatusBadRequest
		}
		return 0
	})
	d.write.Role(plantedRole, "1")
	d.is("unsynced", 1)
	d.syncd.MustCtl(t, "verify", harness.Organization, "--no-wait")
	for _, args := range [][]string{{"unsynced-objects", "acme"}, {"sync-log", "acme", "--history", "-n", "10000"}} {
		if out, stderr, _ := d.syncd.Ctl(t, args...); !strings.Contains(out, plantedRole) {
			t.Errorf("%q does not name the role:\n%s%s", args, out, stderr)
		}
	}
	places := map[string]string{}
	d.temporalSays(places)
	for _, where := range slices.Sorted(maps.Keys(places)) {
		text := places[where]
		if i := strings.Index(text, plantedRole); i >= 0 {
			t.Errorf("%s names the role: …%s…", where, text[max(0, i-300):min(len(text), i+100)])
		}
		if strings.HasPrefix(where, "history of "+workflowID) && !strings.Contains(text, "binary/chef-sync-aes-256-gcm") {
			t.Errorf("%s has nothing encrypted:\n%.2000s", where, text)
		}
	}

	d.restart(d.primary.Side(), sideOfReplica, off)
	harness.Until(t, "the log says which keys are missing", func() bool {
		return strings.Contains(d.syncd.Log(t), `encrypted with the key \"day1\": set temporal['codec_key_file']`)
	}, func() string { return d.syncd.Log(t) })
	stdout, stderr, _ := d.syncd.Ctl(t, "sync-status", "acme")
	if !strings.Contains(stdout+stderr, "set temporal['codec_key_file']") {
		t.Errorf("without the keys, sync-status says\n%s%s", stdout, stderr)
	}

	replica.set(nil)
	d.restart(d.primary.Side(), sideOfReplica, on)
	d.write.Role(plantedRole, "2")
	d.is("unsynced", 0)
	d.equal("with the keys again")
}

// codecKeys is a file with a key.
func codecKeys(t *testing.T) string {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	file := filepath.Join(t.TempDir(), "codec.keys")
	if err := os.WriteFile(file, []byte("day1:"+base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
