package config

import "github.com/chef-sync/chef-sync/internal/object"

// A toggle is the setting of a kind that is replicated on request only.
type toggle struct {
	name string
	kind object.Kind
	doc  string
}

// toggles are the settings of the kinds on request.
func toggles() []toggle {
	return []toggle{
		{"clients", object.KindClient, "Whether clients are replicated, each with all its keys. " +
			"The validator of an organization and the clients that sign our own requests are each server's own."},
		{"groups", object.KindGroup, "Whether groups are replicated. Members that the replica does not know are left out and reported."},
		{"containers", object.KindContainer, "Whether containers are replicated: what the rights to create and to list objects hang on."},
		{"acls", object.KindACL, "Whether access control lists are replicated. Actors that the replica does not know are left out and reported; " +
			"the replica's pivotal and sync user keep their rights."},
		{"nodes", object.KindNode, "Whether nodes are replicated. A chef-client that later registers against the replica gets 403 on a node " +
			"that chef-sync made, unless acls and clients are true as well; and the run list of a node belongs to one server."},
		{"full_name", object.KindOrganization, "Whether the full name of the organization is replicated."},
	}
}

// scopeRows say what of a pair is copied and what becomes of the rest. They may
// also stand in an entry of organizations.
func scopeRows() []row {
	rows := []row{{path: p("kinds"), def: symbol("all"), set: kinds,
		doc: "What is replicated: :all, or an array of " + kindNames() + ". Other kinds have a setting each: " +
			join(toggles(), func(t toggle) string { return t.name }) + "."}}
	for _, t := range toggles() {
		rows = append(rows, row{path: p(t.name), def: false, set: request(t.kind), doc: t.doc})
	}
	rows = append(rows, []row{
		{path: p("include"), def: list{}, set: globs(func(r *reader) *[]string { return &r.into.Scope.Include }),
			doc: "Globs over the paths of objects, as in ['/roles/web-*', '/data/users']: only what one of them matches is replicated. [] is everything."},
		{path: p("exclude"), def: list{}, set: globs(func(r *reader) *[]string { return &r.into.Scope.Exclude }),
			doc: "Globs as in include; what one of them matches is not replicated, and left alone on the replica."},
		{path: p("extras"), def: string(ExtrasKeep), set: choice(func(r *reader) *Extras { return &r.into.Extras }, ExtrasKeep, ExtrasDelete),
			doc: "What a full sync does with an object that only the replica has: 'keep' it and report it, or 'delete' it."},
		{path: p("delete_limit.percent"), def: 10, set: number(func(r *reader) *int { return &r.into.DeleteLimit.Percent }, 0, 100),
			doc: "A pair halts and asks before it deletes more than this share of a kind, if that is more than delete_limit['objects']. 0 allows none on its account."},
		{path: p("delete_limit.objects"), def: 20, set: number(func(r *reader) *int { return &r.into.DeleteLimit.Objects }, 0, 1_000_000),
			doc: "The number of deletes of a kind that needs no operator's word; 0 allows none on its account."},
		{path: p("thaw"), def: false, set: flag(func(r *reader) *bool { return &r.into.Thaw }),
			doc: "Whether what no Chef server changes - a frozen cookbook version that is no longer frozen on the primary, " +
				"an artifact or policy revision of the same identifier and other content - is deleted on the replica and made anew. " +
				"It is missing there for a moment."},
		{path: p("verify_at"), def: "", set: timeOfDay(func(r *reader) *string { return &r.into.VerifyAt }),
			doc: "When, every day, everything is re-read and compared on both sides (UTC), as in '03:30'; '' is never."},
		{path: p("maintenance"), def: list{}, set: windows,
			doc: "When the pair rests: nothing is asked of its servers and nothing written to them, as in ['22:00-23:30', 'Sat,Sun 01:00-05:00 Europe/Berlin']. " +
				"Times without a zone are in UTC. What is under way when a window opens is finished. [] is never."},
	}...)
	for i := range rows {
		rows[i].perPair = true
	}
	return rows
}

// kindNames lists the kinds of the setting kinds as a file writes them.
func kindNames() string {
	return join(object.DefaultKinds(), func(k object.Kind) string { return ":" + string(k) })
}
