package feed

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/chef-sync/chef-sync/internal/object"
)

// snapshot is what a listing saw.
type snapshot map[object.Ref]entry

// entry is what is known of one object's content.
type entry struct {
	// Digest of the content; "" if it was never read.
	Digest object.Digest `json:"d,omitempty"`

	// Immutable says that the content cannot change under this ref.
	Immutable bool `json:"i,omitempty"`
}

// unreadable is the digest of an object that the primary lists and would not
// show. It equals no content, so the object counts as changed once it is read.
const unreadable object.Digest = "unreadable"

// diff returns what has to happen for s to become t, in the order of writes,
// deletes last. An entry of unknown content that is known now counts as
// changed: it may have changed before it was read.
func (s snapshot) diff(t snapshot) []object.Change {
	var writes, deletes []object.Change
	for ref, now := range t {
		before, known := s[ref]
		switch {
		case !known:
			writes = append(writes, object.Change{Action: object.ActionCreate, Ref: ref})
		case before.Digest != now.Digest:
			writes = append(writes, object.Change{Action: object.ActionUpdate, Ref: ref})
		}
	}
	for ref := range s {
		if _, still := t[ref]; !still && ref.Kind.Deletable() {
			deletes = append(deletes, object.Change{Action: object.ActionDelete, Ref: ref})
		}
	}
	slices.SortFunc(writes, func(a, b object.Change) int { return a.Ref.Compare(b.Ref) })
	slices.SortFunc(deletes, func(a, b object.Change) int { return b.Ref.Compare(a.Ref) })
	return append(writes, deletes...)
}

// advanced returns s after changes, which are of s.diff(t).
func (s snapshot) advanced(changes []object.Change, t snapshot) snapshot {
	out := maps.Clone(s)
	for _, c := range changes {
		if e, ok := t[c.Ref]; ok {
			out[c.Ref] = e
		} else {
			delete(out, c.Ref)
		}
	}
	return out
}

// within returns what of s is in a scope: s itself if that is everything.
func (s snapshot) within(scope object.Scope) snapshot {
	all := true
	for ref := range s {
		if all = scope.Has(ref); !all {
			break
		}
	}
	if all {
		return s
	}
	out := maps.Clone(s)
	maps.DeleteFunc(out, func(ref object.Ref, _ entry) bool { return !scope.Has(ref) })
	return out
}

// encode returns the stored form and its ID, which is a hash of it: the same
// list has the same ID.
func (s snapshot) encode() (data []byte, id string, err error) {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	sum := sha256.New()
	if err := json.NewEncoder(io.MultiWriter(z, sum)).Encode(s); err != nil {
		return nil, "", err
	}
	if err := z.Close(); err != nil {
		return nil, "", err
	}
	return buf.Bytes(), hex.EncodeToString(sum.Sum(nil)[:idBytes]), nil
}

// idBytes is the length of an ID before it is written in hex.
const idBytes = 12

// isID reports whether s has the form of an ID. IDs name files.
func isID(s string) bool {
	return len(s) == 2*idBytes && strings.Trim(s, "0123456789abcdef") == ""
}

// decodeSnapshot reads the stored form and checks that it is what id says.
func decodeSnapshot(data []byte, id string) (snapshot, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, errors.New("its list is damaged")
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		return nil, errors.New("its list is damaged")
	}
	sum := sha256.Sum256(plain)
	if hex.EncodeToString(sum[:idBytes]) != id {
		return nil, errors.New("its list is damaged")
	}
	var s snapshot
	if err := json.Unmarshal(plain, &s); err != nil {
		return nil, errors.New("its list was written by another version")
	}
	return s, nil
}
