package doctor_test

import (
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/doctor"
	"github.com/chef-sync/chef-sync/tests/certs"
)

// newCertificate makes a certificate for this host.
func newCertificate(t *testing.T, left time.Duration) certs.Certificate {
	t.Helper()
	return certs.SelfSigned(t, left, "127.0.0.1")
}

func TestTLS(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	serve := func(c certs.Certificate) {
		t.Helper()
		s := httptest.NewUnstartedServer(http.HandlerFunc(h.primary.ServeHTTP))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{c.Certificate}, MinVersion: tls.VersionTLS12}
		s.StartTLS()
		t.Cleanup(s.Close)
		h.primaryURL = s.URL
	}
	const day = 24 * time.Hour
	good, old, ended := newCertificate(t, 90*day), newCertificate(t, 10*day+time.Hour), newCertificate(t, -day)
	serve(good)
	got := h.examine()
	got.want(t, "tls", doctor.Primary, doctor.Failed, "certificate signed by unknown authority", "openssl s_client")
	got.want(t, "server", doctor.Primary, doctor.Skipped, "see tls", "")
	got.want(t, "user", doctor.Primary, doctor.Skipped, "see tls", "")
	got.only(t, "tls")
	got = h.examine("master_tls['ca_file'] = '" + good.File + "'")
	got.want(t, "tls", doctor.Primary, doctor.OK, "is good until "+good.Leaf.NotAfter.UTC().Format(time.DateOnly), "")
	got.want(t, "rights", doctor.Primary, doctor.OK, "admin", "")
	got = h.examine("master_tls['insecure'] = true")
	got.want(t, "tls", doctor.Primary, doctor.Warning, "believed without verification", "master_tls['pin_sha256']")
	wrong := strings.Repeat("0", 2*len(good.Pin()))
	h.examine("master_tls['pin_sha256'] = '"+wrong+"'").want(t, "tls", doctor.Primary, doctor.Failed, "not the pinned one", "set the pin")
	h.examine("master_tls['client_cert'] = '"+old.File+"'", "master_tls['client_key'] = '"+old.KeyFile+"'", "master_tls['ca_file'] = '"+good.File+"'").
		want(t, "tls", doctor.Primary, doctor.Warning, "client certificate "+old.File, "renew it")

	serve(old)
	h.examine("master_tls['ca_file'] = '"+old.File+"'").want(t, "tls", doctor.Primary, doctor.Warning, "in 10 days", "renew it on the server")
	serve(ended)
	h.examine("master_tls['ca_file'] = '"+ended.File+"'").want(t, "tls", doctor.Primary, doctor.Failed, "has expired", "expired")
	got = h.examine("master_tls['pin_sha256'] = '" + hex.EncodeToString(ended.Pin()) + "'")
	got.want(t, "tls", doctor.Primary, doctor.OK, "has the pinned key", "")
	got.only(t)
}
