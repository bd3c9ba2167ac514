package object

import "strings"

// Pair is one source organization on the primary and the organization on the
// replica that is kept equal to it.
type Pair struct {
	// Replica is the configuration's name for the replica ("sync" unless set);
	// it keeps apart the pairs of several replicas on one Temporal cluster.
	Replica string `json:"replica"`

	// Source and Destination are organization names; equal most of the time.
	// For a server without organizations they are labels only.
	Source      string `json:"source"`
	Destination string `json:"destination"`
}

// WorkflowID is the ID of the pair's SyncWorkflow. Two pairs that write the
// same organization share it, so Temporal refuses the second.
func (p Pair) WorkflowID() string {
	return WorkflowIDPrefix + p.Replica + "/" + p.Destination
}

// WorkflowIDPrefix begins the ID of every SyncWorkflow.
const WorkflowIDPrefix = "chef-sync/"

// ParseWorkflowID is the inverse of [Pair.WorkflowID], without the source.
func ParseWorkflowID(id string) (replica, destination string, ok bool) {
	rest, ok := strings.CutPrefix(id, WorkflowIDPrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// String is for people: "acme", or "acme -> acme-eu" where the names differ.
func (p Pair) String() string {
	if p.Source == p.Destination {
		return p.Source
	}
	return p.Source + " -> " + p.Destination
}

// Identity says which organization on which server a pair's state is about. If
// any field changes, the state is about something else and the pair compares
// everything anew.
type Identity struct {
	URL     string `json:"url"`
	OrgGUID string `json:"org_guid,omitempty"` // "" where the server has none (goiardi)
}

// Identities are those of both sides.
type Identities struct {
	Primary Identity `json:"primary"`
	Replica Identity `json:"replica"`
}
