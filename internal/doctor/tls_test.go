package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/doctor"
)

// certificate is a self-signed one for this host, in files, and the pin of its
// key.
type certificate struct {
	tls.Certificate
	file, keyFile, pin string
}

func newCertificate(t *testing.T, left time.Duration) certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-100 * 24 * time.Hour), NotAfter: time.Now().Add(left),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	dir := t.TempDir()
	c := certificate{
		Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
		file:        filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"), pin: hex.EncodeToString(sum[:]),
	}
	for name, block := range map[string]*pem.Block{c.file: {Type: "CERTIFICATE", Bytes: der}, c.keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestTLS(t *testing.T) {
	h := newHost(t, chefserver.Options{})
	serve := func(c certificate) {
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
	got = h.examine("master_tls['ca_file'] = '" + good.file + "'")
	got.want(t, "tls", doctor.Primary, doctor.OK, "is good until "+good.Leaf.NotAfter.UTC().Format(time.DateOnly), "")
	got.want(t, "rights", doctor.Primary, doctor.OK, "admin", "")
	got = h.examine("master_tls['insecure'] = true")
	got.want(t, "tls", doctor.Primary, doctor.Warning, "believed without verification", "master_tls['pin_sha256']")
	wrong := strings.Repeat("0", len(good.pin))
	h.examine("master_tls['pin_sha256'] = '"+wrong+"'").want(t, "tls", doctor.Primary, doctor.Failed, "not the pinned one", "set the pin")
	h.examine("master_tls['client_cert'] = '"+old.file+"'", "master_tls['client_key'] = '"+old.keyFile+"'", "master_tls['ca_file'] = '"+good.file+"'").
		want(t, "tls", doctor.Primary, doctor.Warning, "client certificate "+old.file, "renew it")

	serve(old)
	h.examine("master_tls['ca_file'] = '"+old.file+"'").want(t, "tls", doctor.Primary, doctor.Warning, "in 10 days", "renew it on the server")
	serve(ended)
	h.examine("master_tls['ca_file'] = '"+ended.file+"'").want(t, "tls", doctor.Primary, doctor.Failed, "has expired", "expired")
	got = h.examine("master_tls['pin_sha256'] = '" + ended.pin + "'")
	got.want(t, "tls", doctor.Primary, doctor.OK, "has the pinned key", "")
	got.only(t)
}
