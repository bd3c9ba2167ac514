package object_test

import (
	"encoding/json"
	"testing"

	"github.com/chef-sync/chef-sync/internal/object"
)

func TestWorkflowID(t *testing.T) {
	for _, p := range []object.Pair{
		{Replica: "sync", Source: "acme", Destination: "acme"},
		{Replica: "eu-west.1", Source: "acme", Destination: "acme-eu"},
		{Replica: "sync", Source: "a_b", Destination: "0"},
	} {
		id := p.WorkflowID()
		replica, destination, ok := object.ParseWorkflowID(id)
		if !ok || replica != p.Replica || destination != p.Destination {
			t.Errorf("ParseWorkflowID(%q) = %q, %q, %v; want those of %+v", id, replica, destination, ok, p)
		}
	}
	if got := (object.Pair{Replica: "sync", Source: "acme", Destination: "acme-eu"}).WorkflowID(); got != "chef-sync/sync/acme-eu" {
		t.Errorf("WorkflowID = %q", got)
	}
	one := object.Pair{Replica: "sync", Source: "a", Destination: "c"}
	two := object.Pair{Replica: "sync", Source: "b", Destination: "c"}
	if one.WorkflowID() != two.WorkflowID() {
		t.Error("two pairs that write one organization have two workflow IDs")
	}
}

func TestParseWorkflowIDOfOthers(t *testing.T) {
	for _, id := range []string{"", "chef-sync", "chef-sync/", "chef-sync/acme", "other/sync/acme", "xchef-sync/sync/acme"} {
		if replica, destination, ok := object.ParseWorkflowID(id); ok {
			t.Errorf("ParseWorkflowID(%q) = %q, %q, true", id, replica, destination)
		}
	}
}

func TestPairString(t *testing.T) {
	for want, p := range map[string]object.Pair{
		"acme":            {Replica: "sync", Source: "acme", Destination: "acme"},
		"acme -> acme-eu": {Replica: "sync", Source: "acme", Destination: "acme-eu"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v is %q; want %q", p, got, want)
		}
	}
}

func TestCursor(t *testing.T) {
	for want, c := range map[string]object.Cursor{
		"none":             {},
		"updated_since 42": {Feed: "updated_since", Position: "42", Epoch: "guid/e"},
	} {
		if got := c.String(); got != want {
			t.Errorf("%+v is %q; want %q", c, got, want)
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back object.Cursor
		if err := json.Unmarshal(text, &back); err != nil || back != c {
			t.Errorf("%s was read as %+v, %v", text, back, err)
		}
	}
	if !(object.Cursor{}).IsZero() || (object.Cursor{Feed: "f"}).IsZero() || (object.Cursor{Position: "0"}).IsZero() || (object.Cursor{Epoch: "e"}).IsZero() {
		t.Error("IsZero is not true of the zero Cursor alone")
	}
	if object.Digest("").Known() || !object.Digest("d").Known() {
		t.Error("Known is not true of all but the zero Digest")
	}
}
