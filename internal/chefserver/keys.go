package chefserver

import (
	"net/http"
	"time"
)

// newKey is a key that a request brought or asked for.
type newKey struct {
	key     *key
	private string // PEM, when the server generated it
}

// validateKeyFields judges public_key, create_key and private_key by their form.
func validateKeyFields(r *request) *reply {
	o := r.in
	if v, ok := o.get("public_key"); ok && v != nil {
		s, isString := v.(string)
		if !isString {
			return badRequest("Public Key must be a valid key.")
		}
		if _, _, err := parsePublicKey(s); err != nil {
			return badRequest("Public Key must be a valid key.")
		}
		if o.vals["create_key"] == true {
			return badRequest("create_key and public_key cannot be both present.")
		}
	}
	for _, k := range []string{"create_key", "private_key"} {
		if v, ok := o.get(k); ok {
			if _, isBool := v.(bool); !isBool {
				return badRequest("Field '%s' invalid", k)
			}
		}
	}
	return nil
}

// newKey makes the key of a new client or user. At version 0 there always is
// one; since version 1 only when it was sent or asked for.
func (r *request) newKey() (*newKey, *reply) {
	if s, ok := r.in.vals["public_key"].(string); ok {
		return sentKey(s)
	}
	if r.api > 0 && r.in.vals["create_key"] != true {
		return nil, nil
	}
	return r.generateKey()
}

// replacementKey makes the key of a PUT at version 0, where private_key true
// asks for a new pair.
func (r *request) replacementKey() (*newKey, *reply) {
	if r.in.vals["private_key"] == true {
		return r.generateKey()
	}
	if s, ok := r.in.vals["public_key"].(string); ok {
		return sentKey(s)
	}
	return nil, nil
}

func sentKey(text string) (*newKey, *reply) {
	pub, text, err := parsePublicKey(text)
	if err != nil {
		return nil, badRequest("Public Key must be a valid key.")
	}
	return &newKey{key: &key{name: "default", pem: text, pub: pub}}, nil
}

func (r *request) generateKey() (*newKey, *reply) {
	k, err := r.s.opts.GenerateKey()
	if err != nil {
		return nil, fail(http.StatusServiceUnavailable, "unable to generate a key: %v", err)
	}
	pub := &k.PublicKey
	return &newKey{key: &key{name: "default", pem: publicPEM(pub), pub: pub}, private: privatePEM(k)}, nil
}

// addPrivate completes the answer to a PUT at version 0.
func (r *request) addPrivate(o *object, nk *newKey) {
	if r.api > 0 {
		return
	}
	o.set("private_key", false)
	if nk != nil && nk.private != "" {
		o.set("private_key", nk.private)
	}
}

// holder is the user or client whose keys a request is about.
type holder struct {
	keys keyring
	set  func(keyring)
	url  string // of the list of keys
	path string // for the statistics
	self bool   // the actor itself
}

// find looks the holder up and checks the permission.
type findHolder func(r *request, v verb) (*holder, *reply)

// keyKind is the keys of clients and users.
// https://docs.chef.io/server/api_chef_server/#clients-keys
func keyKind() kind {
	return kind{routes: func(rs *routes) {
		for _, at := range []struct {
			add     func(string, methods) *route
			prefix  string
			find    findHolder
			readers bool // read only
		}{
			{rs.inOrg, "clients/NAME/keys", clientHolder, false},
			{rs.inOrg, "users/NAME/keys", memberHolder, true},
			{rs.outside, "users/NAME/keys", userHolder, false},
		} {
			list := methods{"GET", action{do: listKeys(at.find), users: true}}
			one := methods{"GET", action{do: getKey(at.find), users: true}}
			if !at.readers {
				list = append(list, "POST", action{validate: validateKey, do: postKey(at.find), unlocked: true})
				one = append(one,
					"PUT", action{validate: validateKey, do: putKey(at.find), unlocked: true},
					"DELETE", action{do: deleteKey(at.find), users: true})
			}
			at.add(at.prefix, list)
			at.add(at.prefix+"/KEY", one)
		}
	}}
}

// mayReadKeys answers 403 unless the actor is in the group that reads the keys
// of everybody in the organization.
func (r *request) mayReadKeys() *reply {
	if r.actor.superuser || r.org.access.in(r.actor.id, groupKeyReaders) {
		return nil
	}
	return forbidden(canRead)
}

// clientHolder needs update on the client for a change of its keys.
func clientHolder(r *request, v verb) (*holder, *reply) {
	c, p := r.client(r.args[0])
	if p != nil {
		return nil, p
	}
	path := "/clients/" + c.name + "/keys"
	if v == canRead {
		p = r.mayReadKeys()
	} else {
		p = r.mayOn(v, "clients", c.name)
	}
	return &holder{
		keys: c.keys, url: r.orgURL(path), path: path, self: !r.actor.user && r.actor.name == c.name,
		set: func(ks keyring) {
			d := *c
			d.keys = ks
			r.org.replaceClient(c, &d)
		},
	}, p
}

func memberHolder(r *request, v verb) (*holder, *reply) {
	u, p := r.memberUser(r.args[0])
	if p != nil {
		return nil, p
	}
	h := userKeys(r, u)
	h.url = r.orgURL("/users/" + u.name + "/keys")
	return h, r.mayReadKeys()
}

func userHolder(r *request, v verb) (*holder, *reply) {
	u, p := r.user(r.args[0])
	if p != nil {
		return nil, p
	}
	if !r.mayUser(v, u) {
		return nil, forbidden(v)
	}
	return userKeys(r, u), nil
}

func userKeys(r *request, u *user) *holder {
	return &holder{
		keys: u.keys, url: r.base() + "/users/" + u.name + "/keys", path: "/users/" + u.name + "/keys",
		self: r.actor.user && r.actor.name == u.name,
		set:  func(ks keyring) { u.keys = ks },
	}
}

// validateKey reads the body of a key. A new key must have all three fields.
func validateKey(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	isNew := r.http.Method == http.MethodPost
	_, named := r.in.get("name")
	if isNew || named {
		if p := checkName(r.in, "name", reName); p != nil {
			return p
		}
	}
	if p := validateKeyFields(r); p != nil {
		return p
	}
	_, sent := r.in.vals["public_key"].(string)
	if isNew && !sent && r.in.vals["create_key"] != true {
		return badRequest("Field 'public_key' or 'create_key' missing")
	}
	v, ok := r.in.get("expiration_date")
	if !ok {
		if isNew {
			return badRequest("Field 'expiration_date' missing")
		}
		return nil
	}
	s, _ := v.(string)
	var expires time.Time
	if s != "infinity" {
		var err error
		if expires, err = time.Parse("2006-01-02T15:04:05Z", s); err != nil {
			return badRequest("Field 'expiration_date' invalid")
		}
	}
	r.aux = expires
	return nil
}

func listKeys(find findHolder) func(*request) *reply {
	return func(r *request) *reply {
		h, p := find(r, canRead)
		if p != nil {
			return p
		}
		out, now := []any{}, r.s.now()
		for _, k := range h.keys {
			out = append(out, newObject("uri", h.url+"/"+k.name, "name", k.name, "expired", k.expired(now)))
		}
		return jsonReply(http.StatusOK, out)
	}
}

func (k *key) describe() *object {
	return newObject("name", k.name, "public_key", k.pem, "expiration_date", k.expiry())
}

// key returns the key that the URL names, or 404.
func (h *holder) key(r *request) (*key, *reply) {
	if k := h.keys.find(r.args[1]); k != nil {
		return k, nil
	}
	return nil, fail(http.StatusNotFound, "Cannot load key %s for %s", r.args[1], r.args[0])
}

func getKey(find findHolder) func(*request) *reply {
	return func(r *request) *reply {
		h, p := find(r, canRead)
		if p != nil {
			return p
		}
		k, p := h.key(r)
		if p != nil {
			return p
		}
		return jsonReply(http.StatusOK, k.describe())
	}
}

// keyFromBody makes the key that the body describes, or nil when it has none.
func keyFromBody(r *request) (*newKey, *reply) {
	switch s, sent := r.in.vals["public_key"].(string); {
	case sent:
		return sentKey(s)
	case r.in.vals["create_key"] == true:
		return r.generateKey()
	}
	return nil, nil
}

func postKey(find findHolder) func(*request) *reply {
	return func(r *request) *reply {
		nk, p := keyFromBody(r)
		if p != nil {
			return p
		}
		return r.s.run(r, action{users: true, do: func(r *request) *reply {
			h, p := find(r, canUpdate)
			if p != nil {
				return p
			}
			name := r.in.str("name")
			if h.keys.find(name) != nil {
				return fail(http.StatusConflict, "Key name '%s' already exists.", name)
			}
			nk.key.name, nk.key.expires = name, r.aux.(time.Time)
			h.set(h.keys.with(nk.key))
			uri := h.url + "/" + name
			o := newObject("uri", uri)
			if nk.private != "" {
				o.set("private_key", nk.private)
			}
			return jsonReply(http.StatusCreated, o).at(uri).writes(h.path + "/" + name)
		}})
	}
}

// inUse answers 403 for the key that signed this very request.
func (h *holder) inUse(r *request, k *key) *reply {
	if !h.self || r.actor.key != k.name {
		return nil
	}
	return failText(http.StatusForbidden,
		"The key '%s' was used to authenticate this request and cannot be modified or deleted.", k.name)
}

func putKey(find findHolder) func(*request) *reply {
	return func(r *request) *reply {
		nk, p := keyFromBody(r)
		if p != nil {
			return p
		}
		return r.s.run(r, action{users: true, do: func(r *request) *reply {
			h, p := find(r, canUpdate)
			if p != nil {
				return p
			}
			old, p := h.key(r)
			if p != nil {
				return p
			}
			if p := h.inUse(r, old); p != nil {
				return p
			}
			return changeKey(r, h, old, nk)
		}})
	}
}

func changeKey(r *request, h *holder, old *key, nk *newKey) *reply {
	k := *old
	if nk != nil {
		k.pem, k.pub = nk.key.pem, nk.key.pub
	}
	if t, ok := r.aux.(time.Time); ok {
		k.expires = t
	}
	if name := r.in.str("name"); name != "" {
		k.name = name
	}
	if k.name != old.name && h.keys.find(k.name) != nil {
		return fail(http.StatusConflict, "Key name '%s' already exists.", k.name)
	}
	h.set(h.keys.without(old.name).with(&k))
	o := k.describe()
	if nk != nil && nk.private != "" {
		o.set("private_key", nk.private)
	}
	if k.name != old.name {
		return jsonReply(http.StatusCreated, o).at(h.url + "/" + k.name).writes(h.path + "/" + k.name)
	}
	return jsonReply(http.StatusOK, o).writes(h.path + "/" + k.name)
}

func deleteKey(find findHolder) func(*request) *reply {
	return func(r *request) *reply {
		h, p := find(r, canUpdate)
		if p != nil {
			return p
		}
		k, p := h.key(r)
		if p != nil {
			return p
		}
		if p := h.inUse(r, k); p != nil {
			return p
		}
		h.set(h.keys.without(k.name))
		return jsonReply(http.StatusOK, k.describe()).writes(h.path + "/" + k.name)
	}
}
