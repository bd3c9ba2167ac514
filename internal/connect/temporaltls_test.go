package connect_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/chef-sync/chef-sync/internal/connect"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("authority", nil)
	a.write("ca.pem", 0o644, "CERTIFICATE", a.cert.Raw)
	return a
}

// sign makes a certificate of a name; of an authority without one.
func (a *authority) sign(name string, hosts []string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		c.IsCA, c.BasicConstraintsValid = true, true
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	return c, key
}

// write makes a PEM file.
func (a *authority) write(name string, mode os.FileMode, kind string, der []byte) string {
	a.t.Helper()
	file := filepath.Join(a.dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// client makes NAME.pem and NAME.key.
func (a *authority) client(name string) {
	a.t.Helper()
	cert, key := a.sign(name, nil)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", 0o644, "CERTIFICATE", cert.Raw)
	a.write(name+".key", 0o600, "EC PRIVATE KEY", der)
}

// cluster is a Temporal that only greets, and remembers who came.
type cluster struct {
	workflowservice.UnimplementedWorkflowServiceServer

	mu    sync.Mutex
	calls []string // "API key, name in the client's certificate"
}

func (c *cluster) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

// start serves with TLS for clients that a signed, under the name temporal.test.
func (c *cluster) start(a *authority) string {
	a.t.Helper()
	cert, key := a.sign("server", []string{"temporal.test"})
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	seen := ""
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool,
		VerifyConnection: func(s tls.ConnectionState) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			seen = s.PeerCertificates[0].Subject.CommonName
			return nil
		},
	})), grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		c.mu.Lock()
		c.calls = append(c.calls, strings.Join(append(md.Get("authorization"), seen), ", "))
		c.mu.Unlock()
		return next(ctx, req)
	}))
	workflowservice.RegisterWorkflowServiceServer(s, c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	a.t.Cleanup(s.Stop)
	return l.Addr().String()
}

// greet dials as chef-sync.rb says.
func greet(t *testing.T, settings string, env lookup) error {
	t.Helper()
	return greetFor(t, time.Minute, settings, env)
}

// greetFor is greet that gives up after so long: what is refused is tried until then.
func greetFor(t *testing.T, limit time.Duration, settings string, env lookup) error {
	t.Helper()
	c, err := dial(t, limit, settings, env)
	if err == nil {
		c.Close()
	}
	return err
}

func dial(t *testing.T, limit time.Duration, settings string, env lookup) (client.Client, error) {
	t.Helper()
	target, err := connect.Temporal(configured(t, settings), env)
	if err != nil {
		return nil, err
	}
	target.Options.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return client.DialContext(ctx, target.Options)
}

func TestTemporalTLS(t *testing.T) {
	a, c := newAuthority(t), &cluster{}
	address := c.start(a)
	a.client("me")
	apiKey := filepath.Join(a.dir, "api.key")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		_ = os.Remove(apiKey)
		if err := os.WriteFile(apiKey, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("hush\n", 0o600)
	at := "temporal['address'] = '" + address + "'\n"
	named := "temporal['tls']['server_name'] = 'temporal.test'\n"
	trusts := "temporal['tls']['ca_file'] = '" + a.dir + "/ca.pem'\n"
	shows := "temporal['tls'] = { 'client_cert' => '" + a.dir + "/me.pem', 'client_key' => '" + a.dir + "/me.key' }\n"
	keyed := "temporal['api_key_file'] = '" + apiKey + "'\n"

	if err := greet(t, at+named+trusts+shows+keyed, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := c.calls[len(c.calls)-1], "Bearer hush, me"; got != want {
		t.Errorf("the cluster saw %q, want %q", got, want)
	}
	if err := greet(t, named+trusts+shows, lookup{"TEMPORAL_ADDRESS": address}); err != nil {
		t.Errorf("with the address of the environment: %v", err)
	}
	if err := greet(t, at+named+"temporal['tls']['insecure'] = true\n"+shows, nil); err != nil {
		t.Errorf("insecure: %v", err)
	}
	if err := greet(t, at+named+shows, lookup{"TEMPORAL_TLS_SERVER_CA_CERT_PATH": a.dir + "/ca.pem", "TEMPORAL_TLS_SERVER_NAME": "other.test"}); err != nil {
		t.Errorf("with what the environment says and chef-sync.rb does not: %v", err)
	}
	for name, settings := range map[string]string{
		"unknown authority":     at + named + shows,
		"no client certificate": at + named + trusts,
		"another name":          at + trusts + shows,
		"no TLS":                at,
	} {
		if err := greetFor(t, 2*time.Second, settings, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}

	open, err := dial(t, time.Minute, at+named+trusts+shows+keyed, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	write("other", 0o600) // renewed
	_, err = open.WorkflowService().GetSystemInfo(t.Context(), &workflowservice.GetSystemInfoRequest{})
	if err != nil || !strings.Contains(c.calls[len(c.calls)-1], "Bearer other,") {
		t.Errorf("after the key was renewed: %v, %q", err, c.calls[len(c.calls)-1])
	}
	for mode, text := range map[os.FileMode]string{0o640: "other", 0o604: "other", 0o400: "", 0o600: "two words"} {
		write(text, mode)
		if err := greet(t, at+named+trusts+shows+keyed, nil); err == nil || !strings.Contains(err.Error(), "api_key_file") || strings.Contains(err.Error(), "words") {
			t.Errorf("API key of mode %o, %q: %v; want it refused and not repeated", mode, text, err)
		}
	}
	if err := os.Chmod(filepath.Join(a.dir, "me.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := greet(t, at+named+trusts+shows, nil); err == nil || !strings.Contains(err.Error(), "run chmod 600") {
		t.Errorf("a private key that others can read: %v", err)
	}
	for _, bad := range []string{"temporal['tls']['ca_file'] = '/nowhere'", "temporal['tls']['ca_file'] = '" + apiKey + "'", "temporal['api_key_file'] = '" + a.dir + "'"} {
		if err := greet(t, at+bad, nil); err == nil || !strings.Contains(err.Error(), "temporal['") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
