package ctl

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/tests/harness"
)

// TestBashCompletion sources the script in a bash and presses the tab key, as it
// were: bash calls the function that was registered for the command.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "chef-sync.rb")
	text := "role :replica\nmaster 'https://a'\nreplica 'https://b'\norganizations ['acme', { :source => 'uk', :destination => 'eu' }, 'acid']\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := harness.BuildBinary(t, "./starter")
	link := filepath.Join(dir, program)
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	press := func(words ...string) []string {
		t.Helper()
		script := `source <(` + program + ` completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
function=$(complete -p ` + program + ` | sed 's/.*-F \([^ ]*\) .*/\1/')
$function ` + program + ` "" ""
printf '%s\n' "${COMPREPLY[@]}"`
		cmd := exec.CommandContext(t.Context(), bash, append([]string{"--norc", "-c", script, "bash"}, words...)...) //nolint:gosec // a test's own words
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "CHEF_SYNC_CONFIG=" + conf, "HOME=" + dir}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", words, err, out)
		}
		return strings.Fields(string(out))
	}
	for _, c := range []struct {
		line string
		want string
	}{
		{"chef-sync-ctl sync-st|", "sync-start sync-status sync-stop"},
		{"chef-sync-ctl sync-start |", "acid acme eu"},
		{"chef-sync-ctl sync-start ac|", "acid acme"},
		{"chef-sync-ctl sync-start acme |", ""},
		{"chef-sync-ctl sync-stop acme --rea|", "--reason"},
		{"chef-sync-ctl --out|", "--output"},
		{"chef-sync-ctl --output |", "json table"},
		{"chef-sync-ctl --output json unsynced-objects e|", "eu"},
		{"chef-sync-ctl -o j|", "json"},
		{"chef-sync-ctl doctor --only cl|", "clock"},
		{"chef-sync-ctl completion |", "bash fish zsh"},
		{"chef-sync-ctl help doc|", "doctor"},
		{"chef-sync-ctl -c /nowhere.rb sync-start |", ""},
		{"chef-sync-ctl frobnicate |", ""},
		{"chef-sync-ctl sync-stop acme --reason |", ""},
	} {
		got := press(strings.Split(strings.TrimSuffix(c.line, "|"), " ")...)
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
	if got := press(program, ""); !slices.Contains(got, "doctor") || slices.Contains(got, completeWord) {
		t.Errorf("all commands: %q", got)
	}
}

// TestOtherShells: what cannot be run here still names the program, and asks it.
func TestOtherShells(t *testing.T) {
	if got := shells(); !slices.Equal(got, []string{"bash", "fish", "zsh"}) {
		t.Fatalf("shells %v", got)
	}
	for shell, want := range map[string][]string{
		"zsh":  {"#compdef chef-sync-ctl\n", "compdef _chef_sync_ctl chef-sync-ctl", `"${words[1]}" __complete "${(@)words[2,CURRENT]}"`, `"${funcstack[1]}" == "_chef-sync-ctl"`},
		"fish": {"complete -c chef-sync-ctl -f -a '(__chef_sync_ctl)'", `$words[1] __complete $words[2..-1] "$current"`},
	} {
		for _, w := range want {
			if !strings.Contains(completions[shell], w) {
				t.Errorf("%s: no %q in\n%s", shell, w, completions[shell])
			}
		}
	}
}
