package chef

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A testCert is a self-signed certificate and its key, in files.
type testCert struct {
	tls.Certificate
	certFile, keyFile string
}

// newCert makes a self-signed certificate for the given names and addresses.
func newCert(t *testing.T, names ...string) testCert {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := testCert{
		Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
		certFile:    filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"),
	}
	for file, text := range map[string][]byte{c.certFile: pemOf("CERTIFICATE", der), c.keyFile: pemOf("PRIVATE KEY", keyDER)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c testCert) pin() []byte {
	sum := sha256.Sum256(c.Leaf.RawSubjectPublicKeyInfo)
	return sum[:]
}

// tlsServer serves empty lists and the file "a" with the given certificate.
func tlsServer(t *testing.T, cert testCert, change func(*tls.Config)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/f" {
			_, _ = io.WriteString(w, "a")
			return
		}
		says(200, "{}")(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert.Certificate}}
	if change != nil {
		change(server.TLS)
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestTLS(t *testing.T) {
	good, other, misnamed := newCert(t, "127.0.0.1"), newCert(t, "127.0.0.1"), newCert(t, "chef.example.com")
	pool := x509.NewCertPool()
	pool.AddCert(other.Leaf)
	wantsCert := func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, pool }
	client := TLSOptions{ClientCertFile: other.certFile, ClientKeyFile: other.keyFile, CAFile: good.certFile}
	for _, tt := range []struct {
		name   string
		cert   testCert
		server func(*tls.Config)
		o      TLSOptions
		hint   string // "" wants success
	}{
		{"unknown authority", good, nil, TLSOptions{}, "openssl s_client -showcerts -connect 127.0.0.1:"},
		{"custom CA", good, nil, TLSOptions{CAFile: good.certFile}, ""},
		{"another CA", good, nil, TLSOptions{CAFile: other.certFile}, "openssl s_client"},
		{"another name", misnamed, nil, TLSOptions{CAFile: misnamed.certFile}, "write the host name"},
		{"pin in base64", misnamed, nil, TLSOptions{PinSHA256: base64.StdEncoding.EncodeToString(misnamed.pin())}, ""},
		{"pin as curl has it", good, nil, TLSOptions{PinSHA256: "sha256//" + base64.StdEncoding.EncodeToString(good.pin())}, ""},
		{"pin in hex", good, nil, TLSOptions{PinSHA256: hex.EncodeToString(good.pin())}, ""},
		{"another pin", good, nil, TLSOptions{PinSHA256: hex.EncodeToString(other.pin()), CAFile: good.certFile}, "set the pin"},
		{"another pin, insecure", good, nil, TLSOptions{PinSHA256: hex.EncodeToString(other.pin()), Insecure: true}, "set the pin"},
		{"insecure", misnamed, nil, TLSOptions{Insecure: true}, ""},
		{"client certificate", good, wantsCert, client, ""},
		{"no client certificate", good, wantsCert, TLSOptions{CAFile: good.certFile}, "client certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := tlsServer(t, tt.cert, tt.server)
			c := clientOf(t, server.URL, noRetries, func(o *Options) { o.TLS = tt.o })
			_, err := c.ListRoles(t.Context())
			_, fileErr := c.DownloadFile(t.Context(), "/f", sumOf([]byte("a")), io.Discard)
			for _, err := range []error{err, fileErr} {
				if tt.hint == "" {
					if err != nil {
						t.Errorf("got %v (%s), want success", err, Hint(err))
					}
				} else if Classify(err) != ClassPair || !errors.Is(err, ErrTLS) || !strings.Contains(Hint(err), tt.hint) {
					t.Errorf("got %v of class %s with hint %q, want ErrTLS with %q", err, Classify(err), Hint(err), tt.hint)
				}
			}
		})
	}
}

// The pin is for the server; a host of files is verified as usual.
func TestPinIsForTheServerOnly(t *testing.T) {
	mine, theirs := newCert(t, "127.0.0.1"), newCert(t, "localhost")
	cfg, err := TLSOptions{PinSHA256: hex.EncodeToString(mine.pin()), CAFile: theirs.certFile}.config("chef.example.com")
	if err != nil {
		t.Fatal(err)
	}
	state := func(name string, cert testCert) tls.ConnectionState {
		return tls.ConnectionState{ServerName: name, PeerCertificates: []*x509.Certificate{cert.Leaf}}
	}
	for _, tt := range []struct {
		name string
		cert testCert
		ok   bool
	}{
		{"chef.example.com", mine, true},
		{"chef.example.com", theirs, false},
		{"localhost", theirs, true},
		{"elsewhere.example.com", theirs, false},
		{"", theirs, false},
	} {
		if err := cfg.VerifyConnection(state(tt.name, tt.cert)); (err == nil) != tt.ok {
			t.Errorf("host %q: got %v, want ok %t", tt.name, err, tt.ok)
		}
	}
}

func TestInsecureIsLoggedLoudly(t *testing.T) {
	var log bytes.Buffer
	clientOf(t, "https://chef", func(o *Options) {
		o.TLS.Insecure = true
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "TLS verification is switched off") {
		t.Errorf("the log is %q, want a warning", log.String())
	}
}

func TestTLSOptionsRefused(t *testing.T) {
	cert := newCert(t, "chef")
	for want, o := range map[string]TLSOptions{
		"holds no certificate": {CAFile: cert.keyFile},
		"read CA file":         {CAFile: "/nonexistent"},
		"client certificate":   {ClientCertFile: cert.keyFile, ClientKeyFile: cert.keyFile},
		"not a SHA-256":        {PinSHA256: "sha256//AAAA"},
	} {
		if _, err := o.config("chef"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestPlainServerBehindHTTPS(t *testing.T) {
	server := httptest.NewServer(says(200, "{}"))
	defer server.Close()
	c := clientOf(t, strings.Replace(server.URL, "http:", "https:", 1), noRetries)
	if _, err := c.ListRoles(t.Context()); !strings.Contains(Hint(err), "does not speak TLS") {
		t.Errorf("got %v with hint %q", err, Hint(err))
	}
}
