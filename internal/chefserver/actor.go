package chefserver

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"
)

// key is one public key of a user or client. Keys are replaced, not changed.
type key struct {
	name    string
	pem     string
	pub     *rsa.PublicKey
	expires time.Time // zero: never
}

func (k *key) expired(now time.Time) bool { return !k.expires.IsZero() && !k.expires.After(now) }

// expiry is the form of the API: a time in UTC, or infinity.
func (k *key) expiry() string {
	if k.expires.IsZero() {
		return "infinity"
	}
	return k.expires.UTC().Format(time.RFC3339)
}

// keyring is the keys of one user or client, sorted by name. It is replaced as
// a whole, so that a copy of the slice may be used without a lock.
type keyring []*key

func (ks keyring) find(name string) *key {
	for _, k := range ks {
		if k.name == name {
			return k
		}
	}
	return nil
}

// with returns the keyring with k in it, in place of a key of the same name.
func (ks keyring) with(k *key) keyring {
	out := append(ks.without(k.name), k)
	slices.SortFunc(out, func(a, b *key) int { return strings.Compare(a.name, b.name) })
	return out
}

func (ks keyring) without(name string) keyring {
	return slices.DeleteFunc(slices.Clone(ks), func(k *key) bool { return k.name == name })
}

// user is a person, known to the whole server.
type user struct {
	name      string
	id        string // and the name of the user's own group in every organization
	authzID   string // by which groups and ACLs know the user
	superuser bool
	profile   *object // username, email, names: all that is no key
	keys      keyring
}

func newUser(name string, profile *object) *user {
	return &user{name: name, id: newGUID(), authzID: newGUID(), profile: profile}
}

// client is a machine, known to one organization.
type client struct {
	name      string
	authzID   string
	validator bool
	keys      keyring
}

// actor is who signed a request.
type actor struct {
	name      string
	id        string // by which groups and ACLs know it
	user      bool   // false: a client
	superuser bool
	member    bool // of the request's organization; clients are by nature
	validator bool
	key       string // name of the key that signed
	keys      keyring
}

func (u *user) actor() *actor {
	return &actor{name: u.name, id: u.authzID, user: true, superuser: u.superuser, keys: u.keys}
}

// actorsNamed returns the users and clients of that name. A name can be both, in
// which case the key decides.
func (s *Server) actorsNamed(org *organization, name string) []*actor {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []*actor
	if u := s.users[name]; u != nil {
		a := u.actor()
		if org != nil {
			a.member = org.members[name]
		}
		found = append(found, a)
	}
	if org == nil {
		return found
	}
	org.mu.RLock()
	defer org.mu.RUnlock()
	if c := org.clients[name]; c != nil {
		found = append(found, &actor{name: name, id: c.authzID, member: true, validator: c.validator, keys: c.keys})
	}
	return found
}

// errKey is returned for text that is no RSA public key.
var errKey = errors.New("not an RSA public key")

// parsePublicKey reads a public key in either PEM form, or the one inside of a
// certificate, and returns it with the text in which erchef shows it.
func parsePublicKey(text string) (*rsa.PublicKey, string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, "", errKey
	}
	switch block.Type {
	case "RSA PUBLIC KEY":
		if pub, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
			return pub, text, nil
		}
	case "PUBLIC KEY":
		if v, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			if pub, ok := v.(*rsa.PublicKey); ok {
				return pub, text, nil
			}
		}
	case "CERTIFICATE":
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			if pub, ok := c.PublicKey.(*rsa.PublicKey); ok {
				return pub, publicPEM(pub), nil
			}
		}
	}
	return nil, "", errKey
}

func publicPEM(pub *rsa.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic(err) // Cannot happen: the key is an RSA key.
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func privatePEM(k *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
}
