package chef

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/tests/certs"
)

// tlsServer serves empty lists and the file "a" with the given certificate.
func tlsServer(t *testing.T, cert certs.Certificate, change func(*tls.Config)) *httptest.Server {
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
	good, other, misnamed := certs.SelfSigned(t, time.Hour, "127.0.0.1"), certs.SelfSigned(t, time.Hour, "127.0.0.1"), certs.SelfSigned(t, time.Hour, "chef.example.com")
	pool := x509.NewCertPool()
	pool.AddCert(other.Leaf)
	wantsCert := func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, pool }
	client := TLSOptions{ClientCertFile: other.File, ClientKeyFile: other.KeyFile, CAFile: good.File}
	for _, tt := range []struct {
		name   string
		cert   certs.Certificate
		server func(*tls.Config)
		o      TLSOptions
		hint   string // "" wants success
	}{
		{"unknown authority", good, nil, TLSOptions{}, "openssl s_client -showcerts -connect 127.0.0.1:"},
		{"custom CA", good, nil, TLSOptions{CAFile: good.File}, ""},
		{"another CA", good, nil, TLSOptions{CAFile: other.File}, "openssl s_client"},
		{"another name", misnamed, nil, TLSOptions{CAFile: misnamed.File}, "write the host name"},
		{"pin in base64", misnamed, nil, TLSOptions{PinSHA256: base64.StdEncoding.EncodeToString(misnamed.Pin())}, ""},
		{"pin as curl has it", good, nil, TLSOptions{PinSHA256: "sha256//" + base64.StdEncoding.EncodeToString(good.Pin())}, ""},
		{"pin in hex", good, nil, TLSOptions{PinSHA256: hex.EncodeToString(good.Pin())}, ""},
		{"another pin", good, nil, TLSOptions{PinSHA256: hex.EncodeToString(other.Pin()), CAFile: good.File}, "set the pin"},
		{"another pin, insecure", good, nil, TLSOptions{PinSHA256: hex.EncodeToString(other.Pin()), Insecure: true}, "set the pin"},
		{"insecure", misnamed, nil, TLSOptions{Insecure: true}, ""},
		{"client certificate", good, wantsCert, client, ""},
		{"no client certificate", good, wantsCert, TLSOptions{CAFile: good.File}, "client certificate"},
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
	mine, theirs := certs.SelfSigned(t, time.Hour, "127.0.0.1"), certs.SelfSigned(t, time.Hour, "localhost")
	cfg, err := TLSOptions{PinSHA256: hex.EncodeToString(mine.Pin()), CAFile: theirs.File}.config("chef.example.com")
	if err != nil {
		t.Fatal(err)
	}
	state := func(name string, cert certs.Certificate) tls.ConnectionState {
		return tls.ConnectionState{ServerName: name, PeerCertificates: []*x509.Certificate{cert.Leaf}}
	}
	for _, tt := range []struct {
		name string
		cert certs.Certificate
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

// Insecure believes other hosts, and the server only with the pinned key, however its
// name is written.
func TestPinAndInsecure(t *testing.T) {
	mine, theirs := certs.SelfSigned(t, time.Hour, "127.0.0.1"), certs.SelfSigned(t, time.Hour, "localhost")
	for _, host := range []string{"chef.example.com", "Chef.example.com", "chef.example.com."} {
		cfg, err := TLSOptions{PinSHA256: hex.EncodeToString(mine.Pin()), Insecure: true}.config(host)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name string
			cert certs.Certificate
			ok   bool
		}{
			{"chef.example.com", mine, true},
			{"chef.example.com", theirs, false},
			{"files.example.com", theirs, true},
		} {
			err := cfg.VerifyConnection(tls.ConnectionState{ServerName: tt.name, PeerCertificates: []*x509.Certificate{tt.cert.Leaf}})
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, errPin) {
				t.Errorf("server %s, connected to %s: got %v, want ok %t", host, tt.name, err, tt.ok)
			}
		}
	}
	if _, err := (TLSOptions{PinSHA256: hex.EncodeToString(mine.Pin())}).config("bücher.example.com"); err == nil || !strings.Contains(err.Error(), "xn--") {
		t.Errorf("a name that no connection has: got %v", err)
	}
}

// What crypto/tls calls the host of a connection is what the pin is compared by.
func TestPinOfAHostWithADot(t *testing.T) {
	mine, theirs := certs.SelfSigned(t, time.Hour, "127.0.0.1"), certs.SelfSigned(t, time.Hour, "127.0.0.1")
	server := tlsServer(t, theirs, nil)
	c := clientOf(t, "https://chef.example.com.", noRetries, func(o *Options) {
		o.TLS = TLSOptions{PinSHA256: hex.EncodeToString(mine.Pin()), Insecure: true}
	})
	c.transport.Proxy = nil
	c.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	if _, err := c.ListRoles(t.Context()); !errors.Is(err, errPin) {
		t.Errorf("got %v, want that the key is not the pinned one", err)
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
	cert := certs.SelfSigned(t, time.Hour, "chef")
	for want, o := range map[string]TLSOptions{
		"holds no certificate": {CAFile: cert.KeyFile},
		"read CA file":         {CAFile: "/nonexistent"},
		"client certificate":   {ClientCertFile: cert.KeyFile, ClientKeyFile: cert.KeyFile},
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
