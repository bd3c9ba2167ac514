package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/bits"

	"github.com/chef-sync/chef-sync/internal/object"
)

// Sum is a digest of a set of objects that does not depend on the order in which
// they were added, so that parts of an organization can be summed apart. Equal
// sums mean equal sets, as far as SHA-256 goes. The zero Sum is that of no
// objects.
type Sum [4]uint64

// Add returns the sum with one more object. An unknown digest adds nothing.
func (s Sum) Add(ref object.Ref, d object.Digest) Sum {
	if !d.Known() {
		return s
	}
	h := sha256.Sum256([]byte(ref.Path() + "\x00" + string(d)))
	var o Sum
	for i, b := range h {
		o[i/8] = o[i/8]<<8 | uint64(b)
	}
	return s.Plus(o)
}

// Plus returns the sum of two disjoint sets: addition modulo 2^256.
func (s Sum) Plus(o Sum) Sum {
	var carry uint64
	for i := len(s) - 1; i >= 0; i-- {
		s[i], carry = bits.Add64(s[i], o[i], carry)
	}
	return s
}

// Minus returns the sum without an object that was added before. An unknown
// digest was never added.
func (s Sum) Minus(ref object.Ref, d object.Digest) Sum {
	if !d.Known() {
		return s
	}
	var borrow uint64
	o := Sum{}.Add(ref, d)
	for i := len(s) - 1; i >= 0; i-- {
		s[i], borrow = bits.Sub64(s[i], o[i], borrow)
	}
	return s
}

// String is the sum in 64 hex digits.
func (s Sum) String() string { return fmt.Sprintf("%016x%016x%016x%016x", s[0], s[1], s[2], s[3]) }

// MarshalText is String.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String prints.
func (s *Sum) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != 32 {
		return fmt.Errorf("%q is no sum of objects", text)
	}
	*s = Sum{}
	for i, b := range raw {
		s[i/8] = s[i/8]<<8 | uint64(b)
	}
	return nil
}
