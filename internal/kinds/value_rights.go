package kinds

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/plan"
)

// View has the keys by name, and of each its fingerprint: what
// "openssl pkey -pubin -outform der | sha256sum" prints.
func (clients) View(o Object) (any, error) {
	var body clientBody
	if err := undocument(o, &body); err != nil {
		return nil, err
	}
	keys := map[string]any{}
	for _, k := range body.Keys {
		keys[k.Name] = map[string]any{"expiration_date": k.ExpirationDate, "public_key": fingerprint(k)}
	}
	return map[string]any{"name": body.Name, "validator": body.Validator, "keys": keys}, nil
}

// fingerprint is the SHA-256 of a public key in the PKIX form, or of whatever text
// stands in its place.
func fingerprint(k chef.ClientKey) string {
	text := normalizeKey(k.PublicKey)
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		der = []byte(text)
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// View has the members as keys: somebody more or less is one difference.
func (groups) View(o Object) (any, error) { return viewNames(o) }

// View has those who are allowed something as keys, like a group's members.
func (acls) View(o Object) (any, error) { return viewNames(o) }

// viewNames shows a body that holds lists of names, whose order means nothing.
func viewNames(o Object) (any, error) {
	v, err := plan.Decode(o.Raw)
	if err != nil {
		return nil, err
	}
	return namesAsKeys(v), nil
}

// namesAsKeys turns lists of names into objects whose keys they are.
func namesAsKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = namesAsKeys(e)
		}
	case []any:
		out := make(map[string]any, len(v))
		for _, e := range v {
			if name, ok := e.(string); ok {
				out[name] = true
			}
		}
		return out
	}
	return v
}
