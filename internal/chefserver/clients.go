package chefserver

import "net/http"

// keyFields are the fields through which a key could be set before API version 1.
var keyFields = [...]string{"public_key", "private_key", "create_key"}

// clientKind is /clients. https://docs.chef.io/server/api_chef_server/#clients
func clientKind() kind {
	return kind{
		routes: func(rs *routes) {
			rs.inOrg("clients", methods{
				"GET", action{do: listClients},
				"POST", action{validate: validateClient, do: postClient, unlocked: true},
			})
			rs.inOrg("clients/NAME", methods{
				"GET", action{do: getClient},
				"PUT", action{validate: validateClientUpdate, do: putClient, unlocked: true},
				"DELETE", action{do: deleteClient},
			})
		},
		dump: func(o *organization, d *Snapshot) {
			for name, c := range o.clients {
				d.Objects["/clients/"+name] = string(canonical(newObject(
					"name", name, "validator", c.validator, "keys", c.keys.dump())))
			}
		},
	}
}

func (ks keyring) dump() *object {
	out := newObject()
	for _, k := range ks {
		out.set(k.name, newObject("public_key", k.pem, "expiration_date", k.expiry()))
	}
	return out
}

// validateClient reads the name, under either of its two names, and validator.
func validateClient(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	o := r.in
	for _, pair := range [][2]string{{"name", "clientname"}, {"clientname", "name"}} {
		if v, ok := o.get(pair[0]); ok {
			o.setDefault(pair[1], v)
		}
	}
	if len(r.args) > 0 {
		o.setDefault("name", r.args[0])
		o.setDefault("clientname", r.args[0])
	}
	v, ok := o.get("name")
	if !ok {
		return badRequest("Field 'name' missing")
	}
	if s, ok := v.(string); !ok || !reSimple.MatchString(s) {
		return badRequest("Invalid client name '%s' using regex: "+
			"'Malformed client name.  Must be A-Z, a-z, 0-9, _, -, or .'.", plain(v))
	}
	if o.vals["clientname"] != v {
		return badRequest("name and clientname must match")
	}
	if v, ok := o.get("validator"); ok {
		if _, isBool := v.(bool); !isBool {
			return badRequest("Field 'validator' invalid")
		}
	}
	return validateKeyFields(r)
}

func validateClientUpdate(r *request) *reply {
	if p := validateClient(r); p != nil {
		return p
	}
	return refuseKeyFields(r)
}

// refuseKeyFields answers 400 for a key in the body of a PUT since version 1.
func refuseKeyFields(r *request) *reply {
	if r.api == 0 {
		return nil
	}
	for _, k := range keyFields {
		if _, ok := r.in.get(k); ok {
			return badRequest("Since Server API v1, all keys must be updated via the keys endpoint. ")
		}
	}
	return nil
}

// mayCreateClient says that a validator makes clients, but no validators, which
// no ACL shows.
func (r *request) mayCreateClient(validator bool) *reply {
	r.org.mu.RLock()
	defer r.org.mu.RUnlock()
	if !r.actor.validator {
		return r.may(canCreate, "clients")
	}
	if validator {
		return forbidden(canCreate)
	}
	return nil
}

// describeClient is the body of a client; version 0 shows the key default.
func (r *request) describeClient(c *client) *object {
	o := newObject("name", c.name, "clientname", c.name, "chef_type", "client",
		"orgname", r.org.name, "json_class", "Chef::ApiClient", "validator", c.validator)
	if r.api == 0 {
		o.set("public_key", c.keys.defaultPEM())
	}
	return o
}

// defaultPEM is the text of the key default, or nil.
func (ks keyring) defaultPEM() any {
	if k := ks.find("default"); k != nil {
		return k.pem
	}
	return nil
}

func listClients(r *request) *reply {
	return firstOf(r.may(canRead, "clients"), listOf(r, r.org.clients, "/clients/"))
}

func postClient(r *request) *reply {
	validator := r.in.vals["validator"] == true
	if p := r.mayCreateClient(validator); p != nil {
		return p
	}
	nk, p := r.newKey()
	if p != nil {
		return p
	}
	return r.s.run(r, action{do: func(r *request) *reply {
		name := r.in.str("name")
		if r.org.clients[name] != nil {
			return fail(http.StatusConflict, "Client already exists")
		}
		c := &client{name: name, authzID: newGUID(), validator: validator}
		if nk != nil {
			c.keys = keyring{nk.key}
		}
		r.org.addClient(c)
		r.org.feed.created("/clients/" + name)
		if r.actor.validator {
			r.org.enroll(c) // A validator has no rights over those it makes.
		} else {
			r.org.enroll(c, r.actor.id)
		}
		return r.createdWithKey(r.orgURL("/clients/"+name), nk).writes("/clients/" + name)
	}})
}

// createdWithKey answers the creation of a client or user, in the form of the
// API version.
func (r *request) createdWithKey(uri string, nk *newKey) *reply {
	o := newObject("uri", uri)
	if nk != nil && r.api == 0 {
		if nk.private != "" {
			o.set("private_key", nk.private)
		}
		o.set("public_key", nk.key.pem)
	}
	if nk != nil && r.api > 0 {
		k := newObject("name", nk.key.name, "expiration_date", nk.key.expiry(),
			"uri", uri+"/keys/"+nk.key.name, "public_key", nk.key.pem)
		if nk.private != "" {
			k.set("private_key", nk.private)
		}
		o.set("chef_key", k)
	}
	return jsonReply(http.StatusCreated, o).at(uri)
}

// client returns the client that the URL names, or 404.
func (r *request) client(name string) (*client, *reply) {
	c := r.org.clients[name]
	if c == nil {
		return nil, fail(http.StatusNotFound, "Cannot load client %s", name)
	}
	return c, nil
}

func getClient(r *request) *reply {
	c, p := r.client(r.args[0])
	if p != nil {
		return p
	}
	return firstOf(r.mayOn(canRead, "clients", c.name), jsonReply(http.StatusOK, r.describeClient(c)))
}

// putClient changes and perhaps renames a client.
func putClient(r *request) *reply {
	nk, p := r.replacementKey()
	if p != nil {
		return p
	}
	return r.s.run(r, action{do: func(r *request) *reply {
		old, p := r.client(r.args[0])
		if p != nil {
			return p
		}
		if p := r.mayOn(canUpdate, "clients", old.name); p != nil {
			return p
		}
		c := *old
		c.name = r.in.str("name")
		if v, ok := r.in.vals["validator"].(bool); ok {
			c.validator = v
		}
		if nk != nil {
			c.keys = c.keys.with(nk.key)
		}
		renamed := c.name != old.name
		if renamed && r.org.clients[c.name] != nil {
			return fail(http.StatusConflict, "Client already exists")
		}
		r.org.replaceClient(old, &c)
		o := r.describeClient(&c)
		r.addPrivate(o, nk)
		if renamed {
			return jsonReply(http.StatusCreated, o).at(r.orgURL("/clients/" + c.name)).writes("/clients/" + c.name)
		}
		return jsonReply(http.StatusOK, o).writes("/clients/" + c.name)
	}})
}

func deleteClient(r *request) *reply {
	c, p := r.client(r.args[0])
	if p != nil {
		return p
	}
	if p := r.mayOn(canDelete, "clients", c.name); p != nil {
		return p
	}
	r.org.expel(c)
	return jsonReply(http.StatusOK, r.describeClient(c)).writes("/clients/" + c.name)
}
