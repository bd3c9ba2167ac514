package ctl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
)

// TestDiffSaysWhatIsNotCarried, and cuts what no table has room for.
func TestDiffSaysWhatIsNotCarried(t *testing.T) {
	var fields []plan.Field
	for i := range mostFields + 1 {
		fields = append(fields, plan.Field{Path: fmt.Sprintf("/x\x1b%d", i), Primary: "1", Replica: "2"})
	}
	d := &Diff{
		Organization: "eu", Source: "uk", Primary: "https://p", Replica: "https://r", partly: true,
		PrimaryLacks: []object.Kind{object.KindPolicy}, ReplicaLacks: []object.Kind{object.KindGroup, object.KindACL},
		Comparison: replicate.Comparison{
			Counts: []replicate.KindCount{{Kind: object.KindRole, Primary: 1, Replica: 1}, {Kind: object.KindNode}},
			Files:  1,
			Differences: []replicate.Difference{
				{Ref: object.MustRef("/roles/r"), Case: replicate.CaseDifferent, What: "different", Fields: fields},
			},
			Left: []replicate.Left{
				{Text: "user bob is not on the replica", Objects: 2, Example: object.MustRef("/groups/g")},
			},
		},
	}
	var out strings.Builder
	(&printer{out: &out}).diff(d)
	lines := strings.Split(out.String(), "\n")
	const zero = "0000000000000000000000000000000000000000000000000000000000000000"
	want := append([]string{
		"primary: uk of https://p",
		"replica: eu of https://r",
		"",
		"~ /roles/r  different",
		"    /x?0: primary 1 -> replica 2",
	}, `    and 1 field more; --output json shows all

KIND  PRIMARY  REPLICA  EQUAL  NOT EQUAL
role  1        1        0      1
1 cookbook file read and intact
not compared: the primary cannot hold objects of kind policy
not compared: the replica cannot hold objects of kind group
not compared: the replica cannot hold objects of kind acl
not carried: user bob is not on the replica (2 objects, as /groups/g)

digest of the primary  `+zero+`
digest of the replica  `+zero+`

what was looked at of eu differs in 1 object
`)
	got := append(lines[:5:5], strings.Join(lines[4+mostFields:], "\n"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diff (-want +got):\n%s", diff)
	}
}

func TestVerdict(t *testing.T) {
	missing := replicate.Difference{Case: replicate.CaseMissing}
	unknown := replicate.Difference{Case: replicate.CaseUnknown}
	for _, tt := range []struct {
		diff Diff
		want string
		code int
	}{
		{Diff{Equal: true}, "eu is equal on both servers", ExitOK},
		{Diff{Comparison: replicate.Comparison{Differences: []replicate.Difference{missing, missing}}}, "eu differs in 2 objects", ExitLook},
		{Diff{Unknown: 1, Comparison: replicate.Comparison{Differences: []replicate.Difference{unknown}}},
			"eu: it could not be told whether it is equal", ExitUnknown},
		{Diff{Unknown: 1, Comparison: replicate.Comparison{Differences: []replicate.Difference{missing, unknown}}},
			"eu differs in 1 object; 1 object could not be read", ExitLook},
	} {
		tt.diff.Organization = "eu"
		if got := tt.diff.verdict(); got != tt.want {
			t.Errorf("verdict %q, want %q", got, tt.want)
		}
		if got := report(&strings.Builder{}, nil, tt.diff.outcome()); got != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.want, got, tt.code)
		}
	}
}
