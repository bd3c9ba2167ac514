package harness

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// FastUser is whom the Client of a [FastChef] signs as.
const FastUser = "fast"

// fastKey is as short as crypto/rsa allows.
var fastKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) })

// FastChef is [Chef] with short keys: making keys and signing is most of what a
// test with many servers or requests costs. Its Client signs as [FastUser],
// whose key stands in KeyFile.
func FastChef(t testing.TB, o chefserver.Options) *ChefServer {
	t.Helper()
	key, err := fastKey()
	if err != nil {
		t.Fatal(err)
	}
	o.PivotalKey, o.GenerateKey = key, fastKey
	s := Chef(t, o)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	s.KeyFile = filepath.Join(t.TempDir(), FastUser+".pem")
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	err = errors.Join(
		os.WriteFile(s.KeyFile, private, 0o600),
		s.CreateUser(FastUser, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		s.AddMember(Organization, FastUser, true),
	)
	if err != nil {
		t.Fatal(err)
	}
	s.Client = NewClient(t, s.URL, Organization, FastUser, s.KeyFile)
	return s
}
