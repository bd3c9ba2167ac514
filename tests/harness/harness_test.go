package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// TestGoiardi starts two servers and checks that they answer signed requests,
// know nothing of each other, and keep what they acknowledged over kill -9.
func TestGoiardi(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	a, b := Goiardi(t), Goiardi(t)
	ca, cb := client(t, a), client(t, b)
	for _, c := range []*chef.Client{ca, cb} {
		if got, err := c.ListCookbooks(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("%s: cookbooks = %v, %v; want none", c.URL(), got, err)
		}
	}
	if err := ca.CreateRole(t.Context(), role("web")); err != nil {
		t.Fatal(err)
	}
	wantRoles(t, ca, "web")
	wantRoles(t, cb)

	a.Kill()
	if _, err := ca.ListRoles(t.Context()); err == nil {
		t.Error("a killed server still answers")
	}
	a.Restart(t)
	wantRoles(t, ca, "web")

	a.Restart(t) // of a running server
	wantRoles(t, ca, "web")
}

// TestGoiardiInMemory checks the one without a database, and that a key file is
// private.
func TestGoiardiInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	g := Goiardi(t, InMemory())
	wantRoles(t, client(t, g))
	info, err := os.Stat(g.KeyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: mode %v, %v; want 0600", info.Mode(), err)
	}
}

func client(t *testing.T, g *GoiardiServer) *chef.Client {
	t.Helper()
	key, err := chef.ReadKey(g.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	c, err := chef.New(chef.Options{URL: g.URL, User: g.User, Key: key, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func role(name string) json.RawMessage {
	return json.RawMessage(`{"name":"` + name + `","json_class":"Chef::Role","chef_type":"role","run_list":[]}`)
}

func wantRoles(t *testing.T, c *chef.Client, want ...string) {
	t.Helper()
	got, err := c.ListRoles(t.Context())
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s: roles = %v, %v; want %v", c.URL(), got, err, want)
	}
}

func TestPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	pg := Postgres(t)
	one, two := pg.Database(t, ""), pg.Database(t, "")
	if one == two || Postgres(t) != pg {
		t.Errorf("databases %s and %s; cluster started twice: %v", one, two, Postgres(t) != pg)
	}
	pg.Exec(t, one, "CREATE TABLE x (n int)", "INSERT INTO x VALUES (1)")
	if err := pg.query(two, "SELECT * FROM x"); err == nil {
		t.Error("two databases share a table")
	}
	if err := pg.psql("-X", "-c", "SELECT 1", pg.URL(one)); err != nil {
		t.Errorf("connect over TCP: %v", err)
	}
}

// Nobody is given a port twice, nor one that another process was given, as long as that
// runs: not even if nobody listens there.
func TestFreePort(t *testing.T) {
	const others = "CHEF_SYNC_TEST_PORTS"
	if blocks := os.Getenv(others); blocks != "" { // the other process
		for text := range strings.SplitSeq(blocks, " ") {
			block, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			var p ports
			if ours, err := p.lock(block); ours || err != nil {
				t.Errorf("the ports of block %d could be had twice (%v)", block, err)
			}
		}
		fmt.Println("looked at", blocks)
		return
	}
	seen, blocks := map[int]bool{}, map[string]bool{}
	for range portBlock + 50 { // of two blocks, at least
		p := FreePort(t)
		if seen[p] {
			t.Fatalf("port %d was given twice", p)
		}
		seen[p] = true
		blocks[strconv.Itoa((p-firstPort)/portBlock)] = true
	}
	list := strings.Join(slices.Collect(maps.Keys(blocks)), " ")
	cmd := exec.Command(os.Args[0], "-test.run=^TestFreePort$")
	cmd.Env = append(os.Environ(), others+"="+list)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "looked at "+list) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestKeypair(t *testing.T) {
	private, public := Keypair(t)
	if again, _ := Keypair(t); again != private {
		t.Error("a second call made a second key")
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, []byte(private), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := chef.ReadKey(file); err != nil || !strings.Contains(public, "BEGIN PUBLIC KEY") {
		t.Errorf("the key cannot be read: %v", err)
	}
}

func TestBuildBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("runs go build")
	}
	file := BuildBinary(t, "./tests/harness/testdata/hello")
	if again := BuildBinary(t, "./tests/harness/testdata/hello"); again != file {
		t.Errorf("built twice: %s, %s", file, again)
	}
	if out, err := exec.Command(file).Output(); err != nil || string(out) != "hello\n" {
		t.Errorf("the program says %q, %v", out, err)
	}
}

func TestMissing(t *testing.T) {
	got := missing([]string{"no-such-program-here", "sh", "no-such-program-here"})
	if strings.Join(got, " ") != "no-such-program-here" {
		t.Errorf("missing = %v", got)
	}
}
