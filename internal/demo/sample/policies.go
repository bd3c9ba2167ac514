package sample

import (
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // Chef's tools name artifacts and revisions by it
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
)

// policyTable is what the policies are made of: for each revision the cookbook
// versions that it locks, oldest first. Past its end it begins anew, see
// [Options.Policies].
var policyTable = []struct {
	name      string
	recipes   []string
	revisions [][]string
}{
	{"web", []string{"base::default", "nginx::default"}, [][]string{
		{"base-1.1.0", "nginx-1.0.0"}, {"base-1.1.0", "nginx-1.4.2"}, {"base-2.0.0", "nginx-2.0.0"},
	}},
	{"database", []string{"base::default", "postgresql::default"}, [][]string{
		{"base-1.1.0", "postgresql-3.1.0"}, {"base-2.0.0", "postgresql-4.0.0"},
	}},
	{"monitoring", []string{"monitoring::default"}, [][]string{
		{"monitoring-1.2.0"}, {"monitoring-2.0.0"},
	}},
}

// policyGroups says for each group how many revisions its pointers are behind
// the newest one. The last group ends up without pointers, as one does whose
// machines are gone.
var policyGroups = []struct {
	name   string
	behind int
}{{"production", 1}, {"staging", 0}, {"retired", 0}}

const emptyPolicyGroup = "retired"

// An artifact is a cookbook version as policies use it.
type artifact struct {
	*cookbook
	identifier string
}

// A policy is a policy with its revisions, oldest first.
type policy struct {
	name      string
	revisions []revision
}

// A revision is one revision of a policy.
type revision struct {
	id   string
	body json.RawMessage
}

// addPolicies adds so many policies to the repo, and the artifacts they lock.
func (r *repo) addPolicies(n int) error {
	artifacts := map[string]artifact{}
	for i := range n {
		from := policyTable[i%len(policyTable)]
		p := policy{name: from.name}
		if round := i / len(policyTable); round > 0 {
			p.name += "-" + strconv.Itoa(round+1)
		}
		for number, versions := range from.revisions {
			var locked []artifact
			for _, v := range versions {
				a, ok := artifacts[v]
				if !ok {
					name, version, _ := strings.Cut(v, "-")
					cb := r.cookbook(name, version)
					if cb == nil {
						return fmt.Errorf("policy %s: no cookbook %s", p.name, v)
					}
					a = newArtifact(cb)
					artifacts[v] = a
					r.artifacts = append(r.artifacts, a)
				}
				locked = append(locked, a)
			}
			rev, err := newRevision(p.name, number+1, from.recipes, locked)
			if err != nil {
				return err
			}
			p.revisions = append(p.revisions, rev)
		}
		r.policies = append(r.policies, p)
	}
	return nil
}

// newArtifact names a cookbook version by its files, in the manner of chef-cli.
func newArtifact(cb *cookbook) artifact {
	lines := make([]string, 0, len(cb.files))
	for _, f := range cb.files {
		lines = append(lines, f.path+":"+f.md5+"\n")
	}
	slices.Sort(lines)
	return artifact{cookbook: cb, identifier: hexSHA1([]byte(strings.Join(lines, "")))}
}

func hexSHA1(data []byte) string {
	sum := sha1.Sum(data) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// dotted is the identifier as three numbers, for those who want a version.
func (a artifact) dotted() string {
	var parts []string
	for _, hexPart := range []string{a.identifier[:14], a.identifier[14:28], a.identifier[28:]} {
		n, err := strconv.ParseUint(hexPart, 16, 64)
		if err != nil {
			panic(err) // these are hex digits, and at most 56 bits
		}
		parts = append(parts, strconv.FormatUint(n, 10))
	}
	return strings.Join(parts, ".")
}

// newRevision is laid out as Policyfile.lock.json,
// https://docs.chef.io/policyfile/#policyfilelockjson.
func newRevision(policy string, number int, recipes []string, locked []artifact) (revision, error) {
	runList := make([]string, 0, len(recipes))
	for _, recipe := range recipes {
		runList = append(runList, "recipe["+recipe+"]")
	}
	locks, dependencies, wanted := map[string]any{}, map[string]any{}, [][]string{}
	for _, a := range locked {
		locks[a.name] = map[string]any{
			"version": a.version, "identifier": a.identifier, "dotted_decimal_identifier": a.dotted(),
			"source": "cookbooks/" + a.name, "cache_key": nil,
			"source_options": map[string]string{"path": "cookbooks/" + a.name},
		}
		dependencies[fmt.Sprintf("%s (%s)", a.name, a.version)] = [][]string{}
		wanted = append(wanted, []string{a.name, "= " + a.version})
	}
	doc := map[string]any{
		"name": policy, "run_list": runList, "named_run_lists": map[string]any{"smoke": runList[:1]},
		"included_policy_locks": []any{}, "cookbook_locks": locks,
		"default_attributes": map[string]any{
			policy: map[string]any{"revision": number, "serial": json.Number("20261100000000004711"), "note": "für <alle> & jede"},
		},
		"override_attributes":   map[string]any{},
		"solution_dependencies": map[string]any{"Policyfile": wanted, "dependencies": dependencies},
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return revision{}, err
	}
	id := hexSHA1(text)
	doc["revision_id"] = id
	text, err = json.Marshal(doc)
	return revision{id: id, body: text}, err
}

// pointedTo is the revision to which a group points.
func (p policy) pointedTo(behind int) revision {
	return p.revisions[max(0, len(p.revisions)-1-behind)]
}

func (r *repo) artifactCalls(c *chef.Client) []call {
	var calls []call
	for _, a := range r.artifacts {
		calls = append(calls, func(ctx context.Context) error { return a.put(ctx, c) })
	}
	return calls
}

// put writes the manifest; its files have to be on the server. An artifact that
// is there already is left alone: it cannot be changed.
func (a artifact) put(ctx context.Context, c *chef.Client) error {
	_, err := c.Do(ctx, http.MethodPut, "/cookbook_artifacts/"+a.name+"/"+a.identifier, nil, map[string]any{
		"name": a.name, "identifier": a.identifier, "version": a.version, "chef_type": "cookbook_version",
		"frozen?": false, "metadata": a.metadata, "all_files": a.entries(),
	})
	if err != nil && !chef.IsConflict(err) {
		return fmt.Errorf("put cookbook artifact %s %s: %w", a.name, a.identifier, err)
	}
	return nil
}

func (r *repo) revisionCalls(c *chef.Client) []call {
	var calls []call
	for _, p := range r.policies {
		for _, rev := range p.revisions {
			calls = append(calls, func(ctx context.Context) error { return putRevision(ctx, c, p.name, rev) })
		}
	}
	return calls
}

func putRevision(ctx context.Context, c *chef.Client, policy string, rev revision) error {
	_, err := c.Do(ctx, http.MethodPost, "/policies/"+policy+"/revisions", nil, rev.body)
	if err != nil && !chef.IsConflict(err) {
		return fmt.Errorf("put policy revision %s %s: %w", policy, rev.id, err)
	}
	return nil
}

// pointerCalls has one call for each group and policy. The group that is to be
// empty gets one pointer, since there is no other way to create a group, and
// loses it again.
func (r *repo) pointerCalls(c *chef.Client) []call {
	var calls []call
	for _, g := range policyGroups {
		for _, p := range r.policies {
			if g.name == emptyPolicyGroup && p.name != r.policies[0].name {
				continue
			}
			calls = append(calls, func(ctx context.Context) error {
				err := point(ctx, c, g.name, p.name, p.pointedTo(g.behind))
				if err == nil && g.name == emptyPolicyGroup {
					err = unpoint(ctx, c, g.name, p.name)
				}
				return err
			})
		}
	}
	return calls
}

func point(ctx context.Context, c *chef.Client, group, policy string, rev revision) error {
	_, err := c.Do(ctx, http.MethodPut, "/policy_groups/"+group+"/policies/"+policy, nil, rev.body)
	if err != nil {
		return fmt.Errorf("point policy group %s to %s %s: %w", group, policy, rev.id, err)
	}
	return nil
}

func unpoint(ctx context.Context, c *chef.Client, group, policy string) error {
	_, err := c.Do(ctx, http.MethodDelete, "/policy_groups/"+group+"/policies/"+policy, nil, nil)
	if err != nil {
		return fmt.Errorf("delete policy %s from policy group %s: %w", policy, group, err)
	}
	return nil
}

// policies is how many there are under these options.
func (o Options) policies() int {
	if o.Segments {
		return 0
	}
	return max(0, cmp.Or(o.Policies, DefaultPolicies))
}
