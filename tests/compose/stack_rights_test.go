package compose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/certs"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// TestStackRights: a Temporal with TLS that asks for API keys. One with the role write
// in the namespace can neither make it nor add search attributes, is told by doctor
// --setup who could and how, and replicates all the same.
func TestStackRights(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts a Temporal cluster on PostgreSQL")
	}
	harness.Require(t, "postgresql")
	s := newStack(t)
	s.schema()
	a := s.authority()
	s.temporal(a.env()...)
	primary := harness.Chef(t, chefserver.Options{Feed: true})
	harness.Write(t, primary.Client).Small()
	user := s.replica("sync", primary)
	user.settings = a.settings("default:write") + "verify_at '03:30'\n"
	user.write()
	admin := s.replica("sync", primary)
	admin.settings = a.settings("temporal-system:admin", "default:admin")
	admin.write()

	setup := []string{"doctor", "--setup", "--only", "temporal", "--only", "attributes"}
	want := func(r *replica, fails bool, lines ...string) {
		t.Helper()
		out, err := r.program("chef-sync-ctl", setup...).CombinedOutput()
		if (err != nil) != fails {
			t.Errorf("doctor --setup ended with %v:\n%s", err, out)
		}
		for _, l := range lines {
			if !strings.Contains(string(out), l) {
				t.Errorf("doctor --setup does not say %q:\n%s", l, out)
			}
		}
	}
	want(user, true, "the namespace default is missing, and could not be registered",
		"-> temporal operator namespace create --namespace default --retention 720h # as somebody who may", "FAIL     temporal ")
	a.register(fmt.Sprintf("127.0.0.1:%d", s.frontend))
	harness.Until(t, "the namespace can be used", func() bool {
		return user.program("chef-sync-ctl", "doctor", "--only", "temporal").Run() == nil
	}, func() string { return "" })
	want(user, false, "ok       setup          host             the namespace default is there and keeps closed workflows for 1 day",
		"warn     setup          host             search attributes could not be added", "ok       temporal ", "warn     attributes ")

	worker := user.start()
	user.follow()
	if log := worker.Log(); strings.Contains(log, "may ec-syncd list, create") || strings.Contains(log, "ermission") {
		t.Errorf("the role write does not do:\n%s", log)
	}
	want(admin, false, "search attributes added", "ok       attributes ")
}

// authority hands out certificates and API keys.
type authority struct {
	*stack
	key       *rsa.PrivateKey
	cert, pem string // files
	jwks      string
}

func (s *stack) authority() *authority {
	s.t.Helper()
	own := certs.SelfSigned(s.t, time.Hour, "127.0.0.1")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.t.Fatal(err)
	}
	a := &authority{stack: s, key: key, cert: own.File, pem: own.KeyFile, jwks: filepath.Join(s.dir, "jwks.json")}
	keys, err := json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig",
		"n": encoded(a.key.N.Bytes()), "e": encoded(big.NewInt(int64(a.key.E)).Bytes()),
	}}})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(a.jwks, keys, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return a
}

// env has the server of docker-compose.yml believe in it. Temporal's own workers then
// need a door of their own.
func (a *authority) env() []string {
	return []string{
		"TEMPORAL_TLS_FRONTEND_CERT=" + a.cert, "TEMPORAL_TLS_FRONTEND_KEY=" + a.pem,
		"TEMPORAL_JWT_KEY_SOURCE1=file://" + a.jwks, "TEMPORAL_AUTH_AUTHORIZER=default", "TEMPORAL_AUTH_CLAIM_MAPPER=default",
		"USE_INTERNAL_FRONTEND=true", "TEMPORAL_SERVICES=frontend,internal-frontend,history,matching,worker",
	}
}

// settings are those of a chef-sync.rb with an API key.
func (a *authority) settings(permissions ...string) string {
	a.t.Helper()
	file := filepath.Join(a.t.TempDir(), "temporal.key")
	if err := os.WriteFile(file, []byte(a.token(permissions...)), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return fmt.Sprintf("temporal['api_key_file'] = '%s'\ntemporal['tls'] = { 'ca_file' => '%s' }\n", file, a.cert)
}

// token is an API key: a JSON web token, RFC 7519.
func (a *authority) token(permissions ...string) string {
	a.t.Helper()
	claims, err := json.Marshal(map[string]any{"sub": "tester", "permissions": permissions, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		a.t.Fatal(err)
	}
	text := encoded([]byte(`{"alg":"RS256","typ":"JWT","kid":"k"}`)) + "." + encoded(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, sum[:])
	if err != nil {
		a.t.Fatal(err)
	}
	return text + "." + encoded(signature)
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// register makes the namespace default, with nothing in it.
func (a *authority) register(address string) {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(readFile(a.t, a.cert)))
	namespaces, err := client.NewNamespaceClient(client.Options{
		HostPort: address, Credentials: client.NewAPIKeyStaticCredentials(a.token("temporal-system:admin", "default:admin")),
		ConnectionOptions: client.ConnectionOptions{TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	defer namespaces.Close()
	if err := namespaces.Register(a.t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: "default", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	}); err != nil {
		a.t.Fatal(err)
	}
}
