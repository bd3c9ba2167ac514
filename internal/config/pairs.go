package config

import (
	"fmt"
	"regexp"

	"github.com/chef-sync/chef-sync/internal/object"
)

// orgName is what a Chef Infra Server accepts as the name of an organization.
var orgName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,254}$`)

// IsOrganization reports whether a Chef Infra Server can have an organization of
// that name.
func IsOrganization(name string) bool { return orgName.MatchString(name) }

// pairExample is the hint of most problems with organizations.
const pairExample = "write [{ :source => 'acme', :destination => 'acme-eu' }], or ['acme'] if both are the same"

// anyPairs accepts everything; pairs reads it.
func anyPairs(*reader, string, node) {}

// A pairNode is one entry of organizations; a side that it leaves out is the
// zero node.
type pairNode struct {
	pos                 position
	source, destination node
	choices             choices
}

// pairs reads the organizations, completes them from the URLs and checks them.
func (r *reader) pairs(primary, replica side) {
	given, from, ok := r.either("organizations", "organization", "ec_sync_client['organizations']")
	var in []pairNode
	before := len(r.problems)
	if ok {
		in = r.pairNodes(given)
		if len(in) == 0 {
			if v, isList := given.val.(list); isList && len(v) == 0 {
				ok = false
			}
		}
	}
	if !ok {
		in, from = r.pairFromURLs(primary, replica), "master"
	}
	for _, p := range in {
		if pair, ok := r.pair(p, primary, replica); ok && r.addPair(p.pos, pair, primary, replica) {
			r.choose(pair, p.choices)
		}
	}
	r.organizations(from, len(r.problems) > before)
}

// pairNodes reads an array of pairs, or one.
func (r *reader) pairNodes(v node) []pairNode {
	items, ok := v.val.(list)
	if !ok {
		items = list{v}
	}
	var out []pairNode
	for _, item := range items {
		switch val := item.val.(type) {
		case string, symbol:
			out = append(out, pairNode{item.pos, item, item, r.all})
		case hash:
			if p, ok := r.pairHash(item.pos, val); ok {
				out = append(out, p)
			}
		default:
			r.fail(item.pos, "an entry of organizations cannot be "+item.what(), pairExample)
		}
	}
	return out
}

// pairFromURLs makes the one pair that the URLs name, or reports that there is
// none.
func (r *reader) pairFromURLs(primary, replica side) []pairNode {
	if primary.org != "" || replica.org != "" && !primary.server.HasOrganizations {
		return []pairNode{{pos: primary.pos, choices: r.all}}
	}
	if r.cfg.Replicates() && !r.failed["organizations"] && !r.failed["organization"] && !r.failed["ec_sync_client"] {
		r.fail(position{}, "the setting organizations is missing", pairExample)
	}
	return nil
}

// pair completes one pair from the organizations in the URLs.
func (r *reader) pair(p pairNode, primary, replica side) (object.Pair, bool) {
	source, ok := r.org(p.source, "source", primary)
	if !ok {
		return object.Pair{}, false
	}
	destination, ok := r.org(p.destination, "destination", replica)
	if !ok {
		return object.Pair{}, false
	}
	if source == "" && !primary.server.HasOrganizations {
		source = destination
	}
	if source == "" {
		r.fail(p.pos, "the pair has no :source", pairExample)
		return object.Pair{}, false
	}
	if destination == "" {
		destination = source
	}
	return object.Pair{Replica: r.cfg.Name, Source: source, Destination: destination}, true
}

// org reads the name of one side's organization, which must be the one in that
// side's URL if there is one. It returns "" if neither says anything.
func (r *reader) org(v node, key string, s side) (string, bool) {
	if v.val == nil {
		return s.org, true
	}
	name, ok := v.word()
	switch {
	case !ok:
		r.fail(v.pos, ":"+key+" cannot be "+v.what(), "write the name of an organization in quotes")
		return "", false
	case !orgName.MatchString(name):
		r.fail(v.pos, quote(name)+" is not the name of an organization",
			"write its short name: lower case letters, digits, - and _, beginning with a letter or digit")
		return "", false
	case s.org != "" && s.org != name:
		r.fail(v.pos, fmt.Sprintf("the %s is '%s', but the URL of %s in line %d names '%s'", key, name, s.setting, s.pos.line, s.org),
			"remove /organizations/"+s.org+" from that URL")
		return "", false
	}
	return name, true
}

// addPair adds a pair unless it would write what another one writes or reads.
func (r *reader) addPair(pos position, pair object.Pair, primary, replica side) bool {
	for _, other := range r.cfg.Pairs {
		if other.Destination == pair.Destination {
			r.fail(pos, fmt.Sprintf("two pairs write '%s': from '%s' and from '%s'", pair.Destination, other.Source, pair.Source),
				"give each pair a destination of its own")
			return false
		}
	}
	if len(r.cfg.Pairs) > 0 && !replica.server.HasOrganizations {
		r.fail(pos, "the replica has no organizations, so it cannot hold a second pair", "leave one pair, or remove replica_organizations false")
		return false
	}
	if sameServer(primary.server, replica.server) && (pair.Source == pair.Destination || !replica.server.HasOrganizations) {
		r.fail(pos, fmt.Sprintf("'%s' would be copied to itself: master and replica are the same server", pair.Source),
			"write the URL of another server as replica, or another :destination")
		return false
	}
	r.cfg.Pairs = append(r.cfg.Pairs, pair)
	return true
}
