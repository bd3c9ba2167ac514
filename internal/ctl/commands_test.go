package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/version"
	"github.com/chef-sync/chef-sync/workflows"
)

// commands is what each command is like. One that is not here fails the tests, so
// that a new one gets its failures on purpose.
var commands = map[string]struct {
	// replica commands run on a replica only. Those with args take an
	// organization as the first of them.
	replica bool
	args    []string

	// down is the exit code without Temporal; 0 = it is not needed, or said
	// otherwise.
	down int
}{
	"sync-status":      {true, nil, ExitUnreachable},
	"unsynced-objects": {true, []string{"acme"}, ExitUnreachable},
	"diff":             {true, []string{"acme"}, 0},
	"verify":           {true, []string{"acme"}, ExitUnknown},
	"sync-start":       {true, []string{"acme"}, ExitUnreachable},
	"sync-stop":        {true, []string{"acme"}, ExitUnreachable},
	"sync-now":         {true, []string{"acme"}, ExitUnreachable},
	"sync-once":        {true, []string{"acme"}, ExitUnknown},
	"approve-deletes":  {true, []string{"acme", "--yes"}, ExitUnreachable},
	"drop-deletes":     {true, []string{"acme", "--yes"}, ExitUnreachable},
	"forget-cursor":    {true, []string{"acme"}, ExitUnreachable},
	"remove":           {true, []string{"acme", "--yes"}, ExitUnreachable},
	"sync-log":         {true, []string{"acme"}, 0}, // reads files, with --history Temporal

	"manager-log": {}, "prepare-org": {}, "reconfigure": {}, "doctor": {}, "show-config": {}, "completion": {}, "version": {}, "codec-server": {},
}

// shell is chef-sync-ctl on a host with one configuration.
type shell struct {
	t        *testing.T
	file     string
	temporal *fake // nil: it is down
}

func newShell(t *testing.T, settings string) *shell {
	t.Helper()
	file := filepath.Join(t.TempDir(), "chef-sync.rb")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return &shell{t: t, file: file}
}

// run returns the exit code and both outputs.
func (s *shell) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	var out, err bytes.Buffer
	a := &App{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err,
		Connect: func(context.Context, Target) (Temporal, error) {
			if s.temporal == nil {
				return nil, errors.New("connection refused")
			}
			return s.temporal, nil
		},
		Now: time.Now, Sleep: func(context.Context, time.Duration) error { return nil },
		Env: noEnv{}, DefaultConfig: s.file, Version: version.Info{Version: "1.2.3"},
	}
	code = a.Run(s.t.Context(), append([]string{program}, args...))
	return code, out.String(), err.String()
}

const (
	replicaSettings = `role :replica
master 'https://chef-1.example.com'
replica 'https://chef-2.example.com'
organizations ['other', 'acme', { :source => 'uk', :destination => 'europe' }]
ec_sync_client['sync_key'] = '/nowhere.pem'
`
	primarySettings = `role :master
replica 'https://chef-2.example.com'
`
)

// TestEveryCommandIsDescribed: each has a row here, a worked example in its help,
// and a script that runs it.
func TestEveryCommandIsDescribed(t *testing.T) {
	scripts := ""
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		script, _, _ := strings.Cut(string(text), "\n-- ")
		scripts += script + "\n"
	}
	for _, c := range (&App{}).cli().Commands {
		if _, ok := commands[c.Name]; !ok {
			t.Errorf("%s has no row in the table of this test", c.Name)
		}
		example := regexp.MustCompile(`(?m)^   ` + program + ` (-[^ ]+ [^ ]+ )?` + c.Name + `\b`)
		if c.Usage == "" || !example.MatchString(c.Description) {
			t.Errorf("the help of %s has no worked example: a line with three spaces and %s %s", c.Name, program, c.Name)
		}
		if !regexp.MustCompile(`(?m)^!? ?` + program + ` (-[^ ]+ [^ ]+ )*` + c.Name + `\b`).MatchString(scripts) {
			t.Errorf("no script in testdata/script runs %s", c.Name)
		}
		if !strings.Contains(c.CustomHelpTemplate, "exit codes") {
			t.Errorf("the help of %s does not say where exit codes are explained", c.Name)
		}
		for _, line := range strings.Split(c.Description, "\n") {
			if !strings.HasPrefix(line, "   ") && len(line) > 90 {
				t.Errorf("the help of %s has a line of %d characters: %s", c.Name, len(line), line)
			}
		}
	}
}

// TestWrongSide: what belongs on a replica says so on a primary, and where to go.
func TestWrongSide(t *testing.T) {
	primary, replica := newShell(t, primarySettings), newShell(t, replicaSettings)
	for _, name := range names(t) {
		c := commands[name]
		if !c.replica {
			continue
		}
		code, stdout, stderr := primary.run(append([]string{name}, c.args...)...)
		want := fmt.Sprintf("%s belongs on a replica: this host has role :master in %s", name, primary.file)
		if code != ExitUsage || stdout != "" || !strings.Contains(stderr, want) ||
			!strings.Contains(stderr, "try: ssh chef-2.example.com "+program+" "+name) {
			t.Errorf("%s on a primary: code %d, %q %s; want %q", name, code, stdout, stderr, want)
		}
		needsFile := name == "diff" || name == "codec-server" // more than Temporal
		if strings.Contains(stderr, "--address HOST:PORT") == needsFile {
			t.Errorf("%s on a primary is told to try %s", name, stderr)
		}
	}
	for _, args := range [][]string{{"reconfigure", "--uninstall", "--yes"}, {"reconfigure", "--database", "host=/tmp"}} {
		code, _, stderr := replica.run(args...)
		if code != ExitUsage || !strings.Contains(stderr, args[0]+" "+args[1]+" belongs on the primary: this host has role :replica") ||
			!strings.Contains(stderr, "try: ssh chef-1.example.com "+program+" reconfigure") {
			t.Errorf("%v on a replica: code %d, %s", args, code, stderr)
		}
	}
}

// TestUnknownOrganization: the nearest name is offered.
func TestUnknownOrganization(t *testing.T) {
	s := newShell(t, replicaSettings)
	var err error
	if s.temporal, err = newFake(time.Now, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for _, name := range names(t) {
		c := commands[name]
		if !c.replica || c.args == nil {
			continue
		}
		for org, near := range map[string]string{"acmee": "acme", "eurpe": "europe", "ukk": "europe", "frobnicate": "other"} {
			code, stdout, stderr := s.run(append([]string{name, org}, c.args[1:]...)...)
			if code != ExitUsage || stdout != "" ||
				!strings.Contains(stderr, name+": "+org+" is not an organization of "+s.file+", which has other, acme, uk -> europe\n") ||
				!strings.Contains(stderr, "try: "+program+" "+name+" "+near+"\n") {
				t.Errorf("%s %s: code %d, %q, %s; want %s", name, org, code, stdout, stderr, near)
			}
		}
		code, stdout, stderr := s.run(append([]string{name, "no such"}, c.args[1:]...)...)
		if code == ExitOK || stdout != "" || stderr == "" {
			t.Errorf("%s of a name that is none: code %d, %q, %s", name, code, stdout, stderr)
		}
	}
}

// TestTemporalDown: the command that helps is named, and nothing is printed.
func TestTemporalDown(t *testing.T) {
	s := newShell(t, replicaSettings)
	for _, name := range names(t) {
		c := commands[name]
		if c.down == 0 {
			continue
		}
		code, stdout, stderr := s.run(append([]string{name}, c.args...)...)
		if code != c.down || stdout != "" || !strings.Contains(stderr, "Temporal at 127.0.0.1:7233 (inside ec-syncd), namespace default does not answer: connection refused") ||
			!strings.Contains(stderr, "try: systemctl status ec-syncd") {
			t.Errorf("%s: code %d, %q, %s; want code %d and what helps", name, code, stdout, stderr, c.down)
		}
	}
}

// names are those of all commands.
func names(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, c := range (&App{}).cli().Commands {
		out = append(out, c.Name)
	}
	if len(out) < 15 || !slices.Contains(out, "sync-start") {
		t.Fatalf("commands %v", out)
	}
	return out
}

// TestGiven: what helps means the pairs that the command line means.
func TestGiven(t *testing.T) {
	file := func(name string) given { return given{{flagConfig, name}} }
	other := given{{flagConfig, "x.rb"}, {flagReplica, "eu"}, {flagAddress, "a:1"}, {flagNamespace, "n"}}
	for _, tt := range []struct {
		given      given
		line, want string
	}{
		{nil, "chef-sync-ctl sync-status", "chef-sync-ctl sync-status"},
		{file("x.rb"), "chef-sync-ctl sync-status", "chef-sync-ctl --config x.rb sync-status"},
		{file("x.rb"), "systemctl start ec-syncd\nchef-sync-ctl doctor", "systemctl start ec-syncd\nchef-sync-ctl --config x.rb doctor"},
		{file("x.rb"), "sudo chef-sync-ctl doctor", "sudo chef-sync-ctl --config x.rb doctor"},
		{file("x.rb"), "ssh PRIMARY chef-sync-ctl doctor", "ssh PRIMARY chef-sync-ctl doctor"},
		{file("x.rb"), "chef-sync-ctl --config FILE …", "chef-sync-ctl --config FILE …"},
		{other, "chef-sync-ctl --address HOST:PORT --replica NAME …", "chef-sync-ctl --address HOST:PORT --replica NAME …"},
		{file("my file's.rb"), "chef-sync-ctl doctor", `chef-sync-ctl --config 'my file'\''s.rb' doctor`},
		{other, "chef-sync-ctl sync-start acme", "chef-sync-ctl --config x.rb --replica eu --address a:1 --namespace n sync-start acme"},
		{other[1:3], "chef-sync-ctl --address HOST:PORT …", "chef-sync-ctl --replica eu --address HOST:PORT …"},
		{other[1:], "ec-syncd", "ec-syncd"},
		{given{{flagAddress, "[::1]:7233"}}, "chef-sync-ctl sync-status", "chef-sync-ctl --address '[::1]:7233' sync-status"}, // zsh looks for a file
	} {
		if got := tt.given.on(tt.line); got != tt.want {
			t.Errorf("%s with %q: %s, want %s", tt.line, tt.given, got, tt.want)
		}
	}
}

// TestUnreadableConfig: root may read what others may not. The tests may run as root,
// whom no mode of a file keeps out.
func TestUnreadableConfig(t *testing.T) {
	var f *failure
	err := configFailure("x.rb", &fs.PathError{Op: "open", Path: "x.rb", Err: fs.ErrPermission})
	if !errors.As(err, &f) || f.code != ExitUsage || !strings.HasPrefix(f.hint, "sudo chef-sync-ctl …\nchef-sync-ctl --config FILE …\nchef-sync-ctl --address HOST:PORT ") {
		t.Errorf("%v: %+v", err, f)
	}
}

// TestSameOrganizationIsTold: a pair may be in step with itself.
func TestSameOrganizationIsTold(t *testing.T) {
	for guid, want := range map[string]bool{"g": true, "": false, "h": false} {
		st := &workflows.Status{Mode: workflows.ModeFollowing, Identities: object.Identities{
			Primary: object.Identity{OrgGUID: guid}, Replica: object.Identity{OrgGUID: strings.Replace(guid, "h", "g", 1)},
		}}
		r := facts{pair: object.Pair{Destination: "acme"}, configured: true, execution: &Execution{Status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING}, status: st}.row()
		var out strings.Builder
		if err := (&printer{out: &out, now: time.Now}).status([]Row{r}, look{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "acme: both servers show the same organization"); got != want || r.SameOrganization != want {
			t.Errorf("GUID %q: told %t, %t in JSON, want %t\n%s", guid, got, r.SameOrganization, want, &out)
		}
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestAnswerThatIsNotWritten: a command is not done if nobody could read its answer.
func TestAnswerThatIsNotWritten(t *testing.T) {
	s := newShell(t, replicaSettings)
	for _, args := range [][]string{{"show-config"}, {"show-config", "--output", "json"}, {"--help"}, {"version"}} {
		var stderr bytes.Buffer
		a := &App{Stdin: strings.NewReader(""), Stdout: fullDisk{}, Stderr: &stderr, Now: time.Now, Env: noEnv{}, DefaultConfig: s.file}
		if code := a.Run(t.Context(), append([]string{program}, args...)); code != ExitNotDone || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v on a full disk: exit code %d, %q", args, code, stderr.String())
		}
	}
	for command, want := range map[string]int{"sync-status": ExitNotDone, "diff": ExitUnknown, "verify": ExitUnknown, "sync-once": ExitUnknown} {
		if code := report(io.Discard, nil, unwritten(command, io.ErrClosedPipe)); code != want {
			t.Errorf("%s: exit code %d; want %d", command, code, want)
		}
	}
}
