package chefserver

import (
	"fmt"
	"slices"
	"strings"
)

// Snapshot is everything in one organization at one moment, independent of the
// server it came from. Two organizations hold the same content exactly when
// their Objects are equal and all files are Intact; who may do what with it is
// in ACLs.
type Snapshot struct {
	Name, FullName, GUID string
	Members              []string // user names, sorted
	Admins               []string // direct members of the group admins, without pivotal

	// Objects maps the path of every object to its content as canonical JSON
	// (sorted keys, no white space). Paths are those of the change feed:
	// /roles/N, /environments/N, /data/B, /data/B/I, /cookbooks/N/X.Y.Z,
	// /cookbook_artifacts/N/ID, /policies/N, /policies/N/revisions/R,
	// /policy_groups/G, /policy_groups/G/policies/N, /nodes/N, /clients/N,
	// /groups/N and /containers/N. The environment _default is there, too. A
	// cookbook version is shown as its frozen flag, its metadata and its files by
	// path, specificity and MD5, since the same version can be stored in two forms;
	// an artifact as these with its name, identifier and version. A policy revision
	// is shown as it is stored, with the policy_group_list that somebody may have
	// sent.
	//
	// A group is shown as its clients, groups and users, without the groups that
	// belong to one user each (USAGs). Neither these nor billing-admins are here;
	// Groups has them.
	Objects map[string]string

	// Groups maps the names of all groups to their members, USAGs included.
	Groups map[string]GroupMembers

	// ACLs maps the path of the ACL of everything but the USAGs, such as
	// /roles/N/_acl, /cookbooks/N/_acl and /organizations/_acl, to canonical JSON
	// of the form {"create":{"clients":[…],"groups":[…],"users":[…]},…}.
	ACLs map[string]string

	// Keys maps /clients/N/keys/K to public_key and expiration_date as canonical
	// JSON.
	Keys map[string]string

	// Cookbooks maps the paths of cookbook versions and artifacts to what is
	// known of their files.
	Cookbooks map[string]CookbookVersion
}

// CookbookVersion is one stored cookbook version or artifact.
type CookbookVersion struct {
	Name, Version string // the version as X.Y.Z, that of an artifact as it is stored
	Frozen        bool
	Metadata      string         // canonical JSON
	Files         []CookbookFile // sorted by path
	// Linked is false for a phantom: a create or update that failed half way.
	Linked bool
}

// CookbookFile is one file of a cookbook version.
type CookbookFile struct {
	Path, Specificity, MD5 string
	// Registered: the organization's database knows the MD5, so that a sandbox
	// does not ask for it.
	Registered bool
	// Stored: the file store has the blob.
	Stored bool
	// Intact: the blob's content has the MD5 that names it.
	Intact bool
}

// Complete reports whether all files of the version are registered, stored and
// intact.
func (v CookbookVersion) Complete() bool {
	return v.Linked && !slices.ContainsFunc(v.Files, func(f CookbookFile) bool {
		return !f.Registered || !f.Stored || !f.Intact
	})
}

// Snapshot dumps an organization. It returns an error if there is none of that
// name.
func (s *Server) Snapshot(org string) (*Snapshot, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := s.orgs[org]
	if o == nil {
		return nil, noOrganization(org)
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	d := &Snapshot{
		Name: o.name, FullName: o.fullName, GUID: o.guid,
		Members: sortedKeys(o.members), Admins: o.adminNames(s.userNames, s.superuser),
		Objects: map[string]string{}, Cookbooks: map[string]CookbookVersion{},
		Groups: map[string]GroupMembers{}, ACLs: map[string]string{}, Keys: map[string]string{},
	}
	o.dumpAccess(d, s.userNames)
	for _, k := range s.kinds() {
		if k.dump != nil {
			k.dump(o, d)
		}
	}
	return d, nil
}

func noOrganization(name string) error {
	return fmt.Errorf("organization %q: no such organization", name)
}

func (d *Snapshot) documents(prefix string, m map[string]*document) {
	for name, doc := range m {
		d.Objects[prefix+name] = string(doc.canon)
	}
}

// dumpCookbooks adds the cookbook versions to a Snapshot.
func dumpCookbooks(o *organization, d *Snapshot) {
	for name, versions := range o.cookbooks {
		for n, v := range versions {
			path := versionPath(name, n)
			cv := CookbookVersion{
				Name: name, Version: n.String(), Frozen: v.frozen,
				Metadata: string(canonical(v.manifest.vals["metadata"])), Files: dumpFiles(o.files, v.manifest),
				Linked: len(v.links) == len(manifestSums(v.manifest)),
			}
			d.Cookbooks[path] = cv
			d.Objects[path] = cv.canonical()
		}
	}
}

// canonical shows what makes two cookbook versions equal.
func (v CookbookVersion) canonical() string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"files":[`)
	for i, f := range v.Files {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(canonical(newObject("checksum", f.MD5, "path", f.Path, "specificity", f.Specificity)))
	}
	fmt.Fprintf(&b, `],"frozen?":%t,"metadata":%s}`, v.Frozen, v.Metadata)
	return b.String()
}

func dumpFile(files *fileStore, f *object) CookbookFile {
	sum := f.str("checksum")
	data, stored := files.get(sum)
	_, registered := files.rows[sum]
	return CookbookFile{
		Path: f.str("path"), Specificity: f.str("specificity"), MD5: sum,
		Registered: registered, Stored: stored,
		Intact: stored && md5Hex(data) == strings.ToLower(sum),
	}
}
