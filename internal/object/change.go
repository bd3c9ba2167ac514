package object

// Action is what a feed says happened to an object. Create and update are hints
// only: a replica makes its object equal to the primary's present one either
// way.
type Action string

// The actions that feeds print, and one that they do not.
const (
	ActionCreate Action = "create"
	ActionUpdate Action = "update"
	ActionDelete Action = "delete"

	// ActionReplace is an update of something whose looks say too little. A data bag
	// or policy was deleted and made anew: what it held before is gone, too, and
	// nobody may have said so. A cookbook version may be half written: it can look
	// equal, and every file be there, and still lose one that the server does not
	// count as its own.
	ActionReplace Action = "replace"
)

// Change is one entry of a feed.
type Change struct {
	// ID is the entry's number in the feed, rising but not dense; 0 where the
	// feed has no numbers.
	ID int64 `json:"id,omitempty"`

	Action Action `json:"action"`
	Ref    Ref    `json:"path"`
}

// Digest identifies the content of an object: equal digests mean that two
// servers hold the same object. It is a hash and reveals no content. The zero
// Digest means "not known" and equals nothing.
type Digest string

// Known reports whether the digest was computed.
func (d Digest) Known() bool { return d != "" }

// Cursor is a place in a feed: everything before it is on the replica, or on
// the list of unsynced objects. A zero Cursor is no place: the pair has to
// compare everything first.
type Cursor struct {
	// Feed is the name of the feed that the cursor belongs to.
	Feed string `json:"feed,omitempty"`

	// Position is understood by that feed only: the decimal sequence number of
	// updated_since, the snapshot of listing.
	Position string `json:"position,omitempty"`

	// Epoch names the numbering of the positions. A feed that starts to number
	// anew (restore, failover) has another epoch. "" where the feed has none.
	Epoch string `json:"epoch,omitempty"`
}

// IsZero reports whether c is no place in any feed.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// String is for people: "updated_since 42".
func (c Cursor) String() string {
	if c.IsZero() {
		return "none"
	}
	return c.Feed + " " + c.Position
}
