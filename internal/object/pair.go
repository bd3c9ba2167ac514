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
// the server or organization changes, the state is about something else and the
// pair compares everything anew.
type Identity struct {
	URL     string `json:"url"`
	OrgGUID string `json:"org_guid,omitempty"` // "" where the server has none (goiardi)

	// Lacks names the kinds that the pair replicates and this server cannot hold,
	// separated by commas.
	Lacks string `json:"lacks,omitempty"`
}

// same reports whether two identities are of one organization on one server, as
// far as can be told: a GUID that one of the two does not know proves nothing.
func (i Identity) same(o Identity) bool {
	return i.URL == o.URL && (i.OrgGUID == "" || o.OrgGUID == "" || i.OrgGUID == o.OrgGUID)
}

// Identities are those of both sides, and what is replicated between them.
type Identities struct {
	Primary Identity `json:"primary"`
	Replica Identity `json:"replica"`

	// Scope names what the pair replicates; see [Scope.String].
	Scope string `json:"scope,omitempty"`
}

// SameOrganization reports whether both sides show one GUID. They are then one
// organization of one server that has two names, or one side was restored from a
// backup of the other. False also if a side shows none.
func (i Identities) SameOrganization() bool {
	return i.Primary.OrgGUID != "" && i.Primary.OrgGUID == i.Replica.OrgGUID
}

// SameServers reports whether two identities are of the same organizations,
// whatever is replicated between them. The zero Identities are like none.
func (i Identities) SameServers(o Identities) bool {
	return i.Primary.same(o.Primary) && i.Replica.same(o.Replica)
}
