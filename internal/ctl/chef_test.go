package ctl

import (
	"context"
	"crypto/md5" //nolint:gosec // Chef's identifier for files
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/kinds"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// The commands of scripts that need Chef servers:
//
//	servers [LINE…]               starts two, and writes chef-sync.rb for them, with more lines; the
//	                              URLs are $PRIMARY and $REPLICA
//	put SIDE REF BODY             creates or updates an object; SIDE is primary, replica or both
//	remove SIDE REF               deletes it
//	cookbook SIDE VERSION [FILE=CONTENT…]   uploads a version of the cookbook c
//	corrupt SIDE CONTENT          damages the file with that content
//	absent SIDE                   makes chef-sync.rb name a port that nobody listens on
//	refuse SIDE PATTERN STATUS BODY         answers so to requests of paths
//
// and those of reconfigure_test.go and prepareorg_test.go.
var serverCommands = map[string]func(*testscript.TestScript, bool, []string){
	"servers": startServers, "put": putObject, "remove": removeObject,
	"cookbook": putCookbook, "absent": makeAbsent, "corrupt": corruptFile, "refuse": refuse,
	"bare": startBare, "goiardi": startGoiardi, "chefdb": startDatabase, "settings": addSettings, "sql": runSQL,
}

// withServers adds serverCommands to others.
func withServers(commands map[string]func(*testscript.TestScript, bool, []string)) map[string]func(*testscript.TestScript, bool, []string) {
	maps.Copy(commands, serverCommands)
	return commands
}

// servers are the two of a script.
type servers struct{ primary, replica *harness.ChefServer }

func startServers(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	w.servers = &servers{harness.FastChef(w.t, chefserver.Options{}), harness.FastChef(w.t, chefserver.Options{})}
	ts.Setenv("PRIMARY", w.servers.primary.URL)
	ts.Setenv("REPLICA", w.servers.replica.URL)
	text := fmt.Sprintf(`role :replica
master '%s'
replica '%s'
organizations ['acme']
ec_sync_client['sync_user'] = '%s'
ec_sync_client['sync_key'] = '%s'
%s
`, w.servers.primary.URL, w.servers.replica.URL, harness.FastUser, w.servers.primary.KeyFile, strings.Join(args, "\n"))
	ts.Check(os.WriteFile(ts.MkAbs("chef-sync.rb"), []byte(text), 0o600))
}

// side returns the servers that a script names.
func side(ts *testscript.TestScript, name string) []*harness.ChefServer {
	s := worldOf(ts).servers
	switch name {
	case "primary":
		return []*harness.ChefServer{s.primary}
	case "replica":
		return []*harness.ChefServer{s.replica}
	case "both":
		return []*harness.ChefServer{s.primary, s.replica}
	}
	ts.Fatalf("no side %q", name)
	return nil
}

func putObject(ts *testscript.TestScript, _ bool, args []string) {
	ctx := worldOf(ts).t.Context()
	for _, s := range side(ts, args[0]) {
		o := kinds.Object{Ref: object.MustRef(args[1]), Raw: json.RawMessage(args[2])}
		err := kinds.For(o.Ref.Kind).Create(ctx, s.Client, o)
		if chef.IsConflict(err) {
			err = kinds.For(o.Ref.Kind).Update(ctx, s.Client, o, kinds.Object{})
		}
		ts.Check(err)
	}
}

func removeObject(ts *testscript.TestScript, _ bool, args []string) {
	for _, s := range side(ts, args[0]) {
		ref := object.MustRef(args[1])
		ts.Check(kinds.For(ref.Kind).Delete(worldOf(ts).t.Context(), s.Client, ref))
	}
}

func putCookbook(ts *testscript.TestScript, _ bool, args []string) {
	files := map[string]string{}
	for _, f := range args[2:] {
		path, content, _ := strings.Cut(f, "=")
		files[path] = content
	}
	for _, s := range side(ts, args[0]) {
		ts.Check(harness.PutCookbook(worldOf(ts).t.Context(), s.Client, "c", args[1], false, files, false))
	}
}

func corruptFile(ts *testscript.TestScript, _ bool, args []string) {
	sum := md5.Sum([]byte(args[1])) //nolint:gosec // Chef's identifier for files
	for _, s := range side(ts, args[0]) {
		ts.Check(s.CorruptBlob(harness.Organization, hex.EncodeToString(sum[:])))
	}
}

func makeAbsent(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile("chef-sync.rb")
	for _, s := range side(ts, args[0]) {
		text = strings.ReplaceAll(text, s.URL, "http://127.0.0.1:9")
	}
	ts.Check(os.WriteFile(ts.MkAbs("chef-sync.rb"), []byte(text), 0o600))
}

func refuse(ts *testscript.TestScript, _ bool, args []string) {
	status, err := strconv.Atoi(args[2])
	ts.Check(err)
	for _, s := range side(ts, args[0]) {
		s.Faults().Add(chefserver.Fault{Path: regexp.MustCompile(args[1]), Effect: chefserver.Status(status, args[3])})
	}
}

// TestInterruptedDiff: whoever interrupts it does not know more than before.
func TestInterruptedDiff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := couldNotTell(ctx.Err()); report(&strings.Builder{}, nil, err) != ExitUnknown {
		t.Errorf("an interrupted comparison ends with %v; want exit code %d", err, ExitUnknown)
	}
	for _, err := range []error{errors.New("x"), fail(ExitUnreachable, "", "x"), unusable("diff", "x")} {
		if code := report(&strings.Builder{}, nil, couldNotTell(err)); code != ExitUnknown {
			t.Errorf("%v ends with %d; want %d", err, code, ExitUnknown)
		}
	}
}
