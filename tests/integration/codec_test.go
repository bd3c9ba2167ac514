package integration

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/tests/webui"
	"github.com/chef-sync/chef-sync/workflows"
)

// plantedRole is a name that must not be in Temporal in the clear.
const plantedRole = "planted-role-name"

// sealedEncoding marks payloads that are encrypted.
const sealedEncoding = "binary/chef-sync-aes-256-gcm"

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
		if strings.HasPrefix(where, "history of "+workflowID) && !strings.Contains(text, sealedEncoding) {
			t.Errorf("%s has nothing encrypted:\n%.2000s", where, text)
		}
	}
	d.decodes()

	d.restart(d.primary.Side(), sideOfReplica, off)
	harness.Until(t, "the log says which keys are missing", func() bool {
		return strings.Contains(d.syncd.Log(t), `encrypted with the key \"day1\": set temporal['codec_key_file']`)
	}, func() string { return d.syncd.Log(t) })
	// Not sync-status: there may be nothing encrypted in what Temporal says of a pair
	// that waits for a worker.
	if stdout, stderr, code := d.syncd.Ctl(t, "sync-log", "acme", "--history"); code == 0 || !strings.Contains(stderr, "set temporal['codec_key_file']") {
		t.Errorf("without the keys, sync-log says\n%s%s", stdout, stderr)
	}

	replica.set(nil)
	d.restart(d.primary.Side(), sideOfReplica, on)
	d.write.Role(plantedRole, "2")
	d.is("unsynced", 0)
	d.equal("with the keys again")
}

// decodes has codec-server decode for Temporal's own tools what a verification was
// started with: for a client of the protocol as in the temporal CLI, and in the Web UI.
func (d *duo) decodes() {
	d.t.Helper()
	cmd := exec.Command(harness.BuildBinary(d.t, "./starter"), "--config", d.syncd.Config, "codec-server", "--listen", "127.0.0.1:0", "--output", "json")
	server := harness.StartProgram(d.t, cmd)
	var served struct{ Endpoint string }
	harness.Until(d.t, "codec-server says where it listens", func() bool {
		return json.Unmarshal([]byte(server.Log()), &served) == nil && served.Endpoint != ""
	}, server.Log)

	id := workflows.VerifyWorkflowID(object.Pair{Replica: "sync", Source: harness.Organization, Destination: harness.Organization})
	event, err := d.syncd.Temporal(d.t).GetWorkflowHistory(d.t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
	if err != nil {
		d.t.Fatal(err)
	}
	const want = `"source":"acme"`
	sealed := event.GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()
	if len(sealed) != 1 || strings.Contains(sealed[0].String(), "acme") {
		d.t.Fatalf("a verification was started with %v", sealed)
	}
	got, err := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{Endpoint: served.Endpoint}).Decode(sealed)
	if err != nil || len(got) != 1 || !strings.Contains(string(got[0].GetData()), want) {
		d.t.Errorf("decoded is %v, %v; want %s", got, err, want)
	}

	b := webui.Open(d.t)
	run := event.GetWorkflowExecutionStartedEventAttributes().GetOriginalExecutionRunId()
	page := d.syncd.UIURL() + "/namespaces/default/workflows/" + url.PathEscape(id) + "/" + run + "/timeline"
	shown := base64.StdEncoding.EncodeToString(sealed[0].GetData())
	b.WaitText(page, shown)
	b.DecodeAt(d.syncd.UIURL(), served.Endpoint)
	if text := b.WaitText(page, `"source": "acme"`); strings.Contains(text, shown) {
		d.t.Errorf("the page shows what is encrypted, too:\n%s", text)
	}
	pair, err := d.syncd.Temporal(d.t).DescribeWorkflowExecution(d.t.Context(), workflowID, "")
	if err != nil {
		d.t.Fatal(err)
	}
	b.WaitText(d.syncd.UIURL()+"/namespaces/default/workflows/"+url.PathEscape(workflowID)+"/"+
		pair.GetWorkflowExecutionInfo().GetExecution().GetRunId()+"/user-metadata", "following since", plantedRole)
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
