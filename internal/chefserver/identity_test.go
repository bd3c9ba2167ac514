package chefserver

import (
	"fmt"
	"strings"
	"testing"
)

// asJSON quotes a text.
func asJSON(s string) string { return string(encode(s)) }

func TestOrganizations(t *testing.T) {
	f := newFixture(t, Options{})
	f.do(f.pivotal, "GET", "/organizations", "").wantJSON(200, `{"acme":"`+f.url+`/organizations/acme"}`)
	f.do(f.root, "GET", "/organizations", "").want(403, "missing read permission")
	got := f.do(f.pivotal, "POST", "/organizations", `{"name":"beta","full_name":"Beta","org_type":"Business"}`).want(201, "").parsed()
	if got["clientname"] != "beta-validator" || got["uri"] != f.url+"/organizations/beta" ||
		!strings.HasPrefix(got["private_key"].(string), "-----BEGIN RSA PRIVATE KEY-----") {
		t.Errorf("create = %v", got)
	}
	for _, body := range []string{`{"name":"beta","full_name":"Beta"}`} {
		f.do(f.pivotal, "POST", "/organizations", body).want(409, "")
	}
	for _, body := range []string{`{"full_name":"x"}`, `{"name":"x"}`, `{"name":"@!##","full_name":"x"}`, `{"name":"x","full_name":" x"}`} {
		f.do(f.pivotal, "POST", "/organizations", body).want(400, "Field '")
	}
	f.do(f.root, "POST", "/organizations", `{"name":"mine","full_name":"Mine"}`).want(403, "")
	one := f.do(f.joe, "GET", "/organizations/acme", "").want(200, "").parsed()
	if one["name"] != "acme" || one["full_name"] != "Acme Inc." || len(one["guid"].(string)) != 32 {
		t.Errorf("GET = %v", one)
	}
	f.do(f.pivotal, "PUT", "/organizations/acme", `{"name":"other","full_name":"A"}`).wantJSON(400, `{"error":["Field 'name' invalid"]}`)
	f.do(f.pivotal, "PUT", "/organizations/acme", `{"name":"acme","private_key":"x"}`).want(400, "error")
	f.do(f.joe, "PUT", "/organizations/acme", `{"name":"acme","full_name":"Joe's"}`).want(403, "")
	f.do(f.root, "PUT", "/organizations/acme", `{"name":"acme","full_name":"A real name"}`).want(200, "A real name")
	f.do(f.pivotal, "DELETE", "/organizations/beta", "").want(200, "beta")
	f.do(f.pivotal, "GET", "/organizations/beta", "").want(404, "organization 'beta' does not exist.")
}

func TestClients(t *testing.T) {
	f := newFixture(t, Options{})
	pem := asJSON(publicPEM(&f.pivotal.key.PublicKey))
	v0 := f.root
	v0.api = "0"
	f.run(f.root, []exchange{
		{"no name", "POST", "/clients", `{}`, 400, `{"error":["Field 'name' missing"]}`},
		{"bad name", "POST", "/clients", `{"name":"pedant$testing"}`, 400, "Invalid client name 'pedant$testing' using regex: 'Malformed client name.  Must be A-Z, a-z, 0-9, _, -, or .'."},
		{"two names", "POST", "/clients", `{"name":"a","clientname":"b"}`, 400, "must match"},
		{"without key", "POST", "/clients", `{"name":"bare"}`, 201, `{"uri":"$URL/organizations/acme/clients/bare"}`},
		{"has no keys", "GET", "/clients/bare/keys", "", 200, `[]`},
		{"again", "POST", "/clients", `{"name":"bare"}`, 409, `{"error":["Client already exists"]}`},
		{"a user's name", "POST", "/clients", `{"name":"joe"}`, 201, ""},
		{"add a key", "POST", "/clients/bare/keys", `{"name":"default","public_key":` + pem + `,"expiration_date":"infinity"}`, 201, `{"uri":"$URL/organizations/acme/clients/bare/keys/default"}`},
		{"put with public_key", "PUT", "/clients/bare", `{"name":"bare","public_key":` + pem + `}`, 400, "via the keys endpoint"},
		{"bad key", "POST", "/clients", `{"name":"k","public_key":"no"}`, 400, "Public Key must be a valid key."},
		{"both", "POST", "/clients", `{"name":"k","create_key":true,"public_key":` + pem + `}`, 400, "create_key"},
		{"brought key", "POST", "/clients", `{"name":"own","public_key":` + pem + `}`, 201,
			`{"uri":"$URL/organizations/acme/clients/own","chef_key":{"name":"default","expiration_date":"infinity","uri":"$URL/organizations/acme/clients/own/keys/default","public_key":` + pem + `}}`},
		{"read", "GET", "/clients/own", "", 200, `{"name":"own","clientname":"own","chef_type":"client","orgname":"acme","json_class":"Chef::ApiClient","validator":false}`},
		{"absent", "GET", "/clients/no", "", 404, ""},
		{"rename to a taken name", "PUT", "/clients/own", `{"name":"bare"}`, 409, "Client already exists"},
		{"rename", "PUT", "/clients/own", `{"name":"own2"}`, 201, `"name":"own2"`},
		{"old name", "GET", "/clients/own", "", 404, ""},
		{"delete", "DELETE", "/clients/own2", "", 200, `"name":"own2"`},
	})
	got := f.acme(f.root, "POST", "/clients", `{"name":"gen","create_key":true}`).want(201, "").parsed()
	if k := got["chef_key"].(map[string]any); !strings.Contains(k["private_key"].(string), "RSA PRIVATE KEY") || k["public_key"] == nil {
		t.Errorf("create_key = %v", got)
	}
	old := f.acme(v0, "POST", "/clients", `{"name":"classic"}`).want(201, "").parsed()
	if old["private_key"] == nil || old["public_key"] == nil || old["chef_key"] != nil {
		t.Errorf("create at version 0 = %v", old)
	}
	f.acme(v0, "GET", "/clients/classic", "").want(200, "BEGIN PUBLIC KEY")
	f.acme(v0, "PUT", "/clients/classic", `{"name":"classic","public_key":`+pem+`}`).want(200, `"private_key":false`)
	f.acme(v0, "GET", "/clients/classic", "").want(200, `"public_key":`+pem)
	f.acme(v0, "PUT", "/clients/classic", `{"name":"classic","private_key":true}`).want(200, "BEGIN RSA PRIVATE KEY")
	f.acme(v0, "PUT", "/clients/classic", `{"name":"classic","private_key":1}`).want(400, "private_key")
}

func TestKeys(t *testing.T) {
	f := newFixture(t, Options{})
	pem := asJSON(publicPEM(&f.pivotal.key.PublicKey))
	inUse := `{"error":"The key 'default' was used to authenticate this request and cannot be modified or deleted."}`
	body := func(name, expires string) string {
		return fmt.Sprintf(`{"name":%q,"public_key":%s,"expiration_date":%q}`, name, pem, expires)
	}
	f.acme(f.web1, "PUT", "/clients/web1/keys/default", body("default", "infinity")).wantJSON(403, inUse)
	f.acme(f.web1, "DELETE", "/clients/web1/keys/default", "").wantJSON(403, inUse)
	f.acme(f.web1, "POST", "/clients/web1/keys", body("alt", "2050-12-24T21:00:00Z")).want(201, "/clients/web1/keys/alt")
	f.run(f.root, []exchange{
		{"again", "POST", "/clients/web1/keys", body("alt", "infinity"), 409, ""},
		{"no expiry", "POST", "/clients/web1/keys", `{"name":"x","public_key":` + pem + `}`, 400, "Field 'expiration_date' missing"},
		{"bad expiry", "POST", "/clients/web1/keys", body("x", "tomorrow"), 400, "Field 'expiration_date' invalid"},
		{"no key", "POST", "/clients/web1/keys", `{"name":"x","expiration_date":"infinity"}`, 400, "public_key"},
		{"old key", "POST", "/clients/web1/keys", body("past", "2012-01-01T00:00:00Z"), 201, ""},
		{"list", "GET", "/clients/web1/keys", "", 200, `[
			{"uri":"$URL/organizations/acme/clients/web1/keys/alt","name":"alt","expired":false},
			{"uri":"$URL/organizations/acme/clients/web1/keys/default","name":"default","expired":false},
			{"uri":"$URL/organizations/acme/clients/web1/keys/past","name":"past","expired":true}]`},
		{"get", "GET", "/clients/web1/keys/alt", "", 200, `{"name":"alt","public_key":` + pem + `,"expiration_date":"2050-12-24T21:00:00Z"}`},
		{"rename", "PUT", "/clients/web1/keys/alt", `{"name":"alt2"}`, 201, `"name":"alt2"`},
		{"change expiry", "PUT", "/clients/web1/keys/alt2", `{"expiration_date":"infinity"}`, 200, `"expiration_date":"infinity"`},
		{"generate", "POST", "/clients/web1/keys", `{"name":"gen","create_key":true,"expiration_date":"infinity"}`, 201, "BEGIN RSA PRIVATE KEY"},
		{"delete", "DELETE", "/clients/web1/keys/alt2", "", 200, `"name":"alt2"`},
		{"gone", "GET", "/clients/web1/keys/alt2", "", 404, ""},
		{"a member's keys", "GET", "/users/joe/keys", "", 200, `[{"uri":"$URL/organizations/acme/users/joe/keys/default","name":"default","expired":false}]`},
		{"read only", "DELETE", "/users/joe/keys/default", "", 405, ""},
		{"keys of no member", "GET", "/users/eve/keys", "", 404, ""},
	})
	f.do(f.joe, "GET", "/users/joe/keys", "").want(200, "/users/joe/keys/default")
	f.do(f.joe, "GET", "/users/root/keys", "").want(403, "")
	f.do(f.root, "GET", "/users/joe/keys/default", "").want(200, "BEGIN PUBLIC KEY")
	f.do(f.root, "DELETE", "/users/joe/keys/default", "").want(403, "")
	f.do(f.joe, "DELETE", "/users/joe/keys/default", "").wantJSON(403, inUse)
	f.do(f.web1, "GET", "/users/joe/keys", "").want(401, "")
	f.do(f.joe, "POST", "/users/joe/keys", body("second", "infinity")).want(201, "")
	f.do(agent{name: "joe", key: f.pivotal.key}, "DELETE", "/users/joe/keys/default", "").want(200, "")
	f.do(f.joe, "GET", "/users/joe", "").want(401, "Invalid signature")
}

func TestUsers(t *testing.T) {
	f := newFixture(t, Options{})
	full := func(name, more string) string {
		return fmt.Sprintf(`{"username":%q,"display_name":"D","email":"%s@Example.com","password":"badger"%s}`, name, name, more)
	}
	post := func(who agent, body string) *answered { return f.do(who, "POST", "/users", body) }
	v0 := f.pivotal
	v0.api = "0"
	post(f.root, full("new", "")).want(403, "missing create permission")
	post(f.pivotal, full("new", "")).wantJSON(201, `{"uri":"`+f.url+`/users/new"}`)
	post(f.pivotal, full("new", "")).wantJSON(409, `{"error":["Username or email address already in use."]}`)
	post(f.pivotal, `{"username":"new2","display_name":"D","email":"NEW@example.COM","password":"badger"}`).want(409, "")
	post(f.pivotal, full("Upper", "")).want(400, "Field 'username' invalid")
	post(f.pivotal, `{"username":"x","email":"x@x.x","password":"badger"}`).want(400, "Field 'display_name' missing")
	post(f.pivotal, `{"username":"x","display_name":"D","password":"badger"}`).want(400, "Field 'email' missing")
	post(f.pivotal, `{"username":"x","display_name":"D","email":"x@x.x"}`).want(400, "Field 'password' missing")
	post(f.pivotal, `{"username":"x","display_name":"D","email":"x@x.x","password":"short"}`).want(400, "Password must have at least 6 characters")
	post(f.pivotal, `{"username":"saml","display_name":"D","external_authentication_uid":"sam"}`).want(201, "")
	old := post(v0, full("classic", "")).want(201, "").parsed()
	if !strings.Contains(old["private_key"].(string), "PRIVATE KEY") || len(old) != 2 {
		t.Errorf("create at version 0 = %v", old)
	}
	f.do(f.pivotal, "GET", "/users", "").want(200, `"new":"`+f.url+`/users/new"`)
	f.do(f.pivotal, "GET", "/users?email=NEW@EXAMPLE.com", "").wantJSON(200, `{"new":"`+f.url+`/users/new"}`)
	f.do(f.pivotal, "GET", "/users?external_authentication_uid=sam", "").wantJSON(200, `{"saml":"`+f.url+`/users/saml"}`)
	f.do(f.pivotal, "GET", "/users?verbose=true", "").want(200, `"new":{"first_name":"","last_name":"","display_name":"D","email":"new@example.com"}`)
	f.do(f.root, "GET", "/users", "").want(403, "")
	f.do(f.root, "PUT", "/users", "").want(405, "")
	f.do(f.pivotal, "GET", "/users/new", "").wantJSON(200, `{"username":"new","display_name":"D","email":"new@example.com"}`)
	f.do(v0, "GET", "/users/classic", "").want(200, "BEGIN PUBLIC KEY")
	f.do(f.joe, "GET", "/users/joe", "").want(200, `"username":"joe"`)
	f.do(f.joe, "GET", "/users/root", "").want(403, "")
	f.do(f.root, "GET", "/users/joe", "").want(200, "")
	f.do(f.root, "GET", "/users/eve", "").want(403, "")
	f.do(f.pivotal, "GET", "/users/nobody", "").want(404, "")
	f.do(f.pivotal, "PUT", "/users/new", `{"username":"new","display_name":"E","email":"e@example.com"}`).want(200, "/users/new")
	f.do(f.pivotal, "PUT", "/users/new", `{"username":"new","display_name":"E","email":"e@example.com","create_key":true}`).want(400, "keys endpoint")
	f.do(f.pivotal, "PUT", "/users/joe", `{"username":"joseph","display_name":"J","email":"joe@example.com"}`).want(201, "/users/joseph")
	f.do(f.pivotal, "GET", "/organizations/acme/users/joseph", "").want(200, `"display_name":"J"`)
	f.do(f.pivotal, "GET", "/users/joseph/organizations", "").want(200, `"full_name":"Acme Inc."`)
	f.do(f.root, "GET", "/users/joseph/organizations", "").want(200, "")
	f.do(f.eve, "GET", "/users/joseph/organizations", "").want(403, "")
	f.do(f.pivotal, "POST", "/users/joseph/organizations", "{}").want(405, "")
	f.do(f.pivotal, "DELETE", "/users/joseph", "").want(200, "joseph")
	f.do(f.pivotal, "GET", "/organizations/acme/users", "").wantJSON(200, `[{"user":{"username":"root"}}]`)
}

func TestAssociation(t *testing.T) {
	f := newFixture(t, Options{})
	requests := "/association_requests"
	f.acme(f.root, "GET", requests, "").wantJSON(200, `[]`)
	f.acme(f.eve, "POST", requests, `{"user":"eve"}`).wantJSON(403, `{"error":["'eve' not associated with organization 'acme'"]}`)
	f.acme(f.root, "POST", requests, `{"user":"joe"}`).wantJSON(409, `{"error":"The association already exists."}`)
	f.acme(f.root, "POST", requests, `{"user":"nobody"}`).want(404, "")
	invite := func() string {
		t.Helper()
		uri := f.acme(f.root, "POST", requests, `{"user":"eve"}`).want(201, "").parsed()["uri"].(string)
		return strings.TrimPrefix(uri, f.url+"/organizations/acme"+requests+"/")
	}
	id := invite()
	f.acme(f.root, "POST", requests, `{"user":"eve"}`).wantJSON(409, `{"error":"The invite already exists."}`)
	f.acme(f.root, "GET", requests, "").wantJSON(200, `[{"id":"`+id+`","username":"eve"}]`)
	f.do(f.eve, "GET", "/users/eve"+requests, "").wantJSON(200, `[{"id":"`+id+`","orgname":"acme"}]`)
	f.do(f.eve, "GET", "/users/eve"+requests+"/count", "").wantJSON(200, `{"value":1}`)
	f.do(f.root, "GET", "/users/eve"+requests, "").wantJSON(403, `{"error":["missing read permission"]}`)
	f.do(f.pivotal, "GET", "/users/flappy"+requests, "").wantJSON(404, `{"error":"Could not find user flappy"}`)
	mine := "/users/eve" + requests + "/"
	f.do(f.root, "PUT", mine+id, `{"response":"accept"}`).want(403, "")
	f.do(f.eve, "PUT", mine+id, `{"response":"blither"}`).wantJSON(400, `{"error":["Param response must be either 'accept' or 'reject'"]}`)
	f.do(f.eve, "DELETE", mine+id, "").want(405, "")
	f.do(f.eve, "PUT", mine+id, `{"response":"reject"}`).want(200, "")
	f.do(f.eve, "PUT", mine+id, `{"response":"accept"}`).wantJSON(404, `{"error":"Cannot find association request: `+id+`"}`)
	f.acme(f.eve, "GET", "/roles", "").want(403, "")
	id = invite()
	f.acme(f.root, "DELETE", requests+"/"+id, "").want(200, id)
	f.acme(f.root, "DELETE", requests+"/"+id, "").want(404, "Cannot find association request")
	f.do(f.eve, "PUT", mine+invite(), `{"response":"accept"}`).wantJSON(200, `{"organization":{"name":"acme"}}`)
	f.acme(f.eve, "GET", "/roles", "").want(200, "")
	f.acme(f.root, "DELETE", "/users/eve", "").want(200, "")
	f.acme(f.root, "DELETE", "/users/eve", "").wantJSON(404, `{"error":"Cannot find a user eve in organization acme"}`)
	f.acme(f.eve, "GET", "/users", "").want(403, "")

	f.acme(f.root, "POST", "/users", `{"username":"eve"}`).want(403, "")
	f.acme(f.pivotal, "POST", "/users", `{"username":"eve"}`).want(201, "/organizations/acme/users/eve")
	f.acme(f.pivotal, "POST", "/users", `{"username":"eve"}`).want(409, "already exists")
	f.acme(f.pivotal, "DELETE", "/users/root", "").want(403, "Please remove root from this organization's admins group")
	f.acme(f.eve, "GET", "/users", "").wantJSON(200, `[{"user":{"username":"eve"}},{"user":{"username":"joe"}},{"user":{"username":"root"}}]`)
}

// TestInviteOfFormerAdmin: an invitation is worth what its author is.
func TestInviteOfFormerAdmin(t *testing.T) {
	f := newFixture(t, Options{})
	uri := f.acme(f.root, "POST", "/association_requests", `{"user":"eve"}`).want(201, "").parsed()["uri"].(string)
	if err := f.s.AddMember("acme", "root", false); err != nil {
		t.Fatal(err)
	}
	id := uri[strings.LastIndex(uri, "/")+1:]
	f.do(f.eve, "PUT", "/users/eve/association_requests/"+id, `{"response":"accept"}`).want(403, "This invitation is no longer valid.")
}

func TestPrincipals(t *testing.T) {
	f := newFixture(t, Options{})
	nobody := agent{}
	get := func(path, api string) *answered {
		r := f.request(nobody, "GET", path, "")
		r.Header.Set("X-Ops-Server-API-Version", api)
		return f.send(r)
	}
	one := get("/organizations/acme/principals/web1", "0").want(200, "").parsed()
	if one["type"] != "client" || one["org_member"] != true || len(one["authz_id"].(string)) != 32 ||
		!strings.HasPrefix(one["public_key"].(string), "-----BEGIN PUBLIC KEY-----") {
		t.Errorf("client = %v", one)
	}
	get("/organizations/acme/principals/eve", "1").want(200, `{"principals":[{"name":"eve"`).want(200, `"org_member":false`)
	get("/organizations/acme/principals/joe", "1").want(200, `"type":"user"`).want(200, `"org_member":true`)
	get("/organizations/acme/principals/no", "1").wantJSON(404, `{"error":"Cannot find principal no","not_found":"principal"}`)
	get("/organizations/no/principals/joe", "1").wantJSON(404, `{"error":"Cannot find org no","not_found":"org"}`)
	get("/organizations/acme/principals/", "1").want(404, "")
}

func TestStatus(t *testing.T) {
	f := newFixture(t, Options{})
	for path, want := range map[string]string{"/_status": `"status":"pong"`, "/version": "Chef Infra Server 15"} {
		r := f.request(agent{}, "GET", path, "")
		r.Header.Del("X-Chef-Version")
		f.send(r).want(200, want)
	}
	f.do(f.root, "GET", "/license", "").want(200, "node_license")
}
