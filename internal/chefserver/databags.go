package chefserver

import "net/http"

// dataBagKind is /data. https://docs.chef.io/server/api_chef_server/#data
func dataBagKind() kind {
	return kind{
		routes: func(rs *routes) {
			rs.inOrg("data", methods{
				"GET", action{do: listBags},
				"POST", action{validate: validateBag, do: createBag},
			})
			rs.inOrg("data/BAG", methods{
				"GET", action{do: listItems},
				"POST", action{validate: validateItem, do: createItem},
				"DELETE", action{do: deleteBag},
			})
			rs.inOrg("data/BAG/ITEM", methods{
				"GET", action{do: getItem},
				"PUT", action{validate: validateItem, do: updateItem},
				"DELETE", action{do: deleteItem},
			})
		},
		dump: func(o *organization, d *Snapshot) {
			for bag, items := range o.bags {
				d.Objects["/data/"+bag] = string(encode(newObject("name", bag)))
				d.documents("/data/"+bag+"/", items)
			}
		},
	}
}

func validateBag(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	// Whatever else is sent, json_class and chef_type included, is ignored.
	return checkName(r.in, "name", reName)
}

// validateItem accepts an item bare or wrapped. Exactly one wrapping is taken
// off, so that an item whose own content looks like one survives in a wrapping.
func validateItem(r *request) *reply {
	if p := r.parseBody(); p != nil {
		return p
	}
	_, hasClass := r.in.get("json_class")
	if raw, ok := r.in.get("raw_data"); ok && hasClass {
		o, ok := raw.(*object)
		if !ok {
			return badRequest("Field 'raw_data' invalid")
		}
		r.in = o
	}
	if len(r.args) > 1 {
		r.in.setDefault("id", r.args[1])
		if r.in.vals["id"] != r.args[1] {
			return badRequest("DataBagItem name mismatch.")
		}
	}
	return checkName(r.in, "id", reName)
}

func listBags(r *request) *reply {
	return firstOf(r.may(canRead, "data"), listOf(r, r.org.bags, "/data/"))
}

func createBag(r *request) *reply {
	if p := r.may(canCreate, "data"); p != nil {
		return p
	}
	name := r.in.str("name")
	if r.org.bags[name] != nil {
		return fail(http.StatusConflict, "Data bag already exists")
	}
	path := "/data/" + name
	r.org.bags[name] = map[string]*document{}
	r.claim("data", name)
	r.org.feed.created(path)
	return created(r.orgURL(path)).writes(path)
}

func listItems(r *request) *reply {
	bag := r.args[0]
	items := r.org.bags[bag]
	if items == nil {
		return fail(http.StatusNotFound, "Cannot load data bag %s", bag)
	}
	return firstOf(r.mayOn(canRead, "data", bag), listOf(r, items, "/data/"+bag+"/"))
}

// deleteBag deletes the items as well. The feed names the bag first, then its
// items, the order in which the database's triggers see it.
func deleteBag(r *request) *reply {
	bag := r.args[0]
	items := r.org.bags[bag]
	if items == nil {
		return fail(http.StatusNotFound, "Cannot load data bag %s", bag)
	}
	if p := r.mayOn(canDelete, "data", bag); p != nil {
		return p
	}
	delete(r.org.bags, bag)
	r.disclaim("data", bag)
	r.org.feed.deleted("/data/" + bag)
	for id := range items {
		r.org.feed.deleted("/data/" + bag + "/" + id)
	}
	return jsonReply(http.StatusOK, newObject(
		"name", bag, "json_class", "Chef::DataBag", "chef_type", "data_bag")).writes("/data/" + bag)
}

// echo is the answer to a write of an item: two keys more than what is stored.
func echo(item *object, bag string) []byte {
	o := item.clone()
	o.set("chef_type", "data_bag_item")
	o.set("data_bag", bag)
	return encode(o)
}

func createItem(r *request) *reply {
	bag, id := r.args[0], r.in.str("id")
	items := r.org.bags[bag]
	if items == nil {
		return fail(http.StatusNotFound,
			"No data bag '%s' could be found. Please create this data bag before adding items to it.", bag)
	}
	if p := r.mayOn(canUpdate, "data", bag); p != nil {
		return p
	}
	if items[id] != nil {
		return fail(http.StatusConflict, "Data Bag Item '%s' already exists in Data Bag '%s'.", id, bag)
	}
	path := "/data/" + bag + "/" + id
	r.org.put(items, id, path, newDocument(r.in))
	return rawReply(http.StatusCreated, echo(r.in, bag)).at(r.orgURL(path)).writes(path)
}

// item returns the item that the URL names, or 404.
func (r *request) item() (*document, *reply) {
	d := r.org.bags[r.args[0]][r.args[1]]
	if d != nil {
		return d, nil
	}
	if r.http.Method == http.MethodDelete {
		return nil, fail(http.StatusNotFound, "Cannot load data bag %s item %s", r.args[0], r.args[1])
	}
	return nil, fail(http.StatusNotFound, "Cannot load data bag item %s for data bag %s", r.args[1], r.args[0])
}

func getItem(r *request) *reply {
	d, p := r.item()
	if p != nil {
		return p
	}
	return firstOf(r.mayOn(canRead, "data", r.args[0]), rawReply(http.StatusOK, d.body))
}

func updateItem(r *request) *reply {
	bag, id := r.args[0], r.args[1]
	if _, p := r.item(); p != nil {
		return p
	}
	if p := r.mayOn(canUpdate, "data", bag); p != nil {
		return p
	}
	path := "/data/" + bag + "/" + id
	r.org.put(r.org.bags[bag], id, path, newDocument(r.in))
	return rawReply(http.StatusOK, echo(r.in, bag)).writes(path)
}

// deleteItem answers the item in its wrapping.
func deleteItem(r *request) *reply {
	bag, id := r.args[0], r.args[1]
	d, p := r.item()
	if p != nil {
		return p
	}
	if p := r.mayOn(canDelete, "data", bag); p != nil {
		return p
	}
	path := "/data/" + bag + "/" + id
	r.org.take(r.org.bags[bag], id, path)
	return jsonReply(http.StatusOK, newObject(
		"name", "data_bag_item_"+bag+"_"+id, "json_class", "Chef::DataBagItem",
		"chef_type", "data_bag_item", "data_bag", bag, "raw_data", d.value)).writes(path)
}
