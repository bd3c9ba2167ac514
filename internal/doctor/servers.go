package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
)

const (
	// clockFails is where Chef servers refuse signatures, clockWarns where it is
	// time to look.
	clockFails = 15 * time.Minute
	clockWarns = 60 * time.Second

	// certificateWarns is how long before its end a certificate is told of.
	certificateWarns = 30 * 24 * time.Hour

	setClock = "timedatectl set-ntp true"
)

// configuration looks at what chef-sync.rb says of itself.
func configuration(_ context.Context, x *exam, _ subject) []Finding {
	if x.Config == nil {
		if errors.Is(x.Err, fs.ErrNotExist) { // the error has an example of many lines
			return failed("$EDITOR "+x.File, "there is no configuration at %s", x.File)
		}
		if errors.Is(x.Err, fs.ErrPermission) {
			return failed("sudo chef-sync-ctl doctor", "%v", x.Err)
		}
		return failed("$EDITOR "+x.File, "%v", x.Err)
	}
	var out []Finding
	for _, n := range x.Config.Notices {
		out = append(out, warning("$EDITOR "+x.File, "%s", n)...)
	}
	switch {
	case !x.replicates() && !x.serves():
		out = append(out, warning("$EDITOR "+x.File, "role :%s in %s: nothing runs on this host, because ec_sync_client['enable'] or ec_sync_server['enable'] is false", x.Config.Role, x.File)...)
	case len(out) == 0 && !x.replicates():
		return fine("role :%s in %s", x.Config.Role, x.File)
	case len(out) == 0:
		return fine("role :%s, %s in %s", x.Config.Role, count(len(x.Config.Pairs), "organization"), cmp.Or(x.File, "no file"))
	}
	return out
}

// keyFile looks at the file of the key that signs.
func keyFile(_ context.Context, x *exam, at subject) []Finding {
	s := x.sides[at.side]
	_, err := s.key()
	switch {
	case err == nil:
		return fine("%s is a private key, and its owner's alone", s.KeyFile)
	case errors.Is(err, fs.ErrNotExist):
		return failed("scp PRIMARY:"+s.KeyFile+" "+s.KeyFile, "%v", err)
	case errors.Is(err, fs.ErrPermission):
		return failed("sudo chef-sync-ctl doctor", "%v", err)
	}
	if fix := "chmod 600 " + s.KeyFile; others(s.KeyFile) {
		return failed(fix, "%v", err)
	}
	return failed("$EDITOR "+x.File+"    # ec_sync_client['sync_key']", "%v", err)
}

// server looks at who answers.
func server(ctx context.Context, x *exam, at subject) []Finding {
	s := x.sides[at.side]
	glance, err := s.look()
	switch {
	case errors.Is(err, chef.ErrTLS):
		return skipped("%s: see tls", s.URL)
	case err != nil:
		return failed(cmp.Or(chef.Hint(err), "curl -v "+s.URL+"/_status"), "%v", err)
	}
	text := fmt.Sprintf("%s is %s", s.URL, glance)
	if err := s.signed(); errors.Is(err, chef.ErrNotChef) {
		return failed(chef.Hint(err), "%s, and does not answer as a Chef server: %v", text, err)
	} else if err != nil {
		return fine("%s", text)
	}
	c, err := s.client()
	if err != nil {
		return fine("%s", text)
	}
	api, err := c.APIVersion(ctx)
	switch {
	case err != nil:
		return failed(chef.Hint(err), "%s, and does not say which versions of the API it speaks: %v", text, err)
	case api < 2:
		return warning("upgrade it to 12.19 or newer", "%s, with version %d of the API: of cookbooks it holds only files in the classic directories", text, api)
	}
	return fine("%s, with version %d of the API", text, api)
}

// answers skips what needs the server when that is silent.
func answers(_ context.Context, x *exam, at subject) string {
	s := x.sides[at.side]
	if _, err := s.look(); err != nil && !errors.Is(err, chef.ErrTLS) {
		return fmt.Sprintf("%s does not answer: see server", s.URL)
	}
	return ""
}

// signs skips what needs a key and a server.
func signs(ctx context.Context, x *exam, at subject) string {
	s := x.sides[at.side]
	if _, err := s.client(); err != nil {
		return "nothing can be signed: see key"
	}
	if _, err := s.look(); errors.Is(err, chef.ErrTLS) {
		return fmt.Sprintf("%s is not trusted: see tls", s.URL)
	}
	return answers(ctx, x, at)
}

// accepted skips what needs a server that believes us.
func accepted(ctx context.Context, x *exam, at subject) string {
	if why := signs(ctx, x, at); why != "" {
		return why
	}
	if err := x.sides[at.side].signed(); errors.Is(err, chef.ErrNotChef) {
		return "this is no Chef server: see server"
	} else if err != nil {
		return "the server does not believe the user: see user"
	}
	return ""
}

// certificates looks at the trust in the server, and how long it lasts.
func certificates(_ context.Context, x *exam, at subject) []Finding {
	s := x.sides[at.side]
	glance, err := s.look()
	u, parseErr := url.Parse(s.URL)
	switch {
	case err != nil:
		return failed(cmp.Or(chef.Hint(err), "$EDITOR "+x.File), "%v", err)
	case parseErr == nil && u.Scheme == "http" && here(u.Hostname()):
		return fine("%s is plain http, on this host", s.URL)
	case len(glance.Certificates) == 0:
		return warning(s.setting+" 'https://…' in "+x.File, "%s is plain http: whoever is in between can read and change what is copied", s.URL)
	}
	out := x.lasts(glance.Certificates[0], "the certificate of "+s.URL, "renew it on the server: chef-server-ctl reconfigure makes a self-signed one anew")
	if s.TLS.ClientCertFile != "" {
		out = append(out, x.ownCertificate(s)...)
	}
	switch {
	case s.TLS.PinSHA256 != "" && out[0].State != OK: // then the dates do not matter
		out[0] = fine("%s has the pinned key", s.URL)[0]
	case s.TLS.Insecure && s.TLS.PinSHA256 == "":
		out = append(out, warning(s.setting+"_tls['pin_sha256'] or ['ca_file'] instead of ['insecure'] in "+x.File, "%s is believed without verification", s.URL)...)
	}
	return out
}

// ownCertificate looks at the one that proves who we are.
func (x *exam) ownCertificate(s *side) []Finding {
	pair, err := tls.LoadX509KeyPair(s.TLS.ClientCertFile, s.TLS.ClientKeyFile)
	if err != nil {
		return failed("$EDITOR "+x.File, "client certificate %s: %v", s.TLS.ClientCertFile, err)
	}
	return x.lasts(pair.Leaf, "the client certificate "+s.TLS.ClientCertFile, "renew it")
}

// lasts says for how long a certificate is good.
func (x *exam) lasts(c *x509.Certificate, what, fix string) []Finding {
	left, until := c.NotAfter.Sub(x.now()), c.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		return failed(fix, "%s ended on %s", what, until)
	case left < certificateWarns:
		return warning(fix, "%s ends on %s, in %d days", what, until, int(left.Hours()/24))
	}
	return fine("%s is good until %s", what, until)
}

// clock compares ours with the server's.
func clock(_ context.Context, x *exam, at subject) []Finding {
	s := x.sides[at.side]
	glance, err := s.look()
	if err != nil {
		return skipped("%s is not trusted: see tls", s.URL)
	}
	if !glance.HasDate {
		return skipped("%s does not tell the time", s.URL)
	}
	off, word := glance.Ahead.Round(time.Second), "ahead of"
	if off < 0 {
		off, word = -off, "behind"
	}
	switch {
	case off >= clockFails:
		return failed(setClock, "this host is %s %s %s, and signatures are refused from %s on", off, word, s.URL, clockFails)
	case off >= clockWarns:
		return warning(setClock, "this host is %s %s %s; signatures are refused from %s on", off, word, s.URL, clockFails)
	case off < 2*time.Second: // what the header can tell
		return fine("the same as that of %s", s.URL)
	}
	return fine("this host is %s %s %s", off, word, s.URL)
}

// user looks whether the key is that of the user.
func user(_ context.Context, x *exam, at subject) []Finding {
	s := x.sides[at.side]
	err := s.signed()
	switch {
	case errors.Is(err, chef.ErrNotChef):
		return skipped("%s is no Chef server: see server", s.URL)
	case err == nil:
		return fine("%s accepts the signature of %s", s.URL, s.User)
	case errors.Is(err, chef.ErrClock):
		return failed(setClock, "%v", err)
	case errors.Is(err, chef.ErrCredentials):
		return failed(fmt.Sprintf("chef-server-ctl list-user-keys %s    # on the %s: is the public half of %s there?", s.User, at.side, s.KeyFile), "%v", err)
	}
	return failed(hint(err), "%v", err)
}
