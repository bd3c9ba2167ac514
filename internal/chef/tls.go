package chef

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
)

// TLSOptions says which servers to believe and how to prove who we are. The
// zero value trusts the system's certificate authorities.
type TLSOptions struct {
	// CAFile is a PEM file of certificates to trust beside the system's: an
	// authority's, or the server's own self-signed one.
	CAFile string

	// ClientCertFile and ClientKeyFile are PEM files for servers that ask their
	// clients for a certificate (nginx['ssl_client_ca']). Both or none.
	ClientCertFile string
	ClientKeyFile  string

	// PinSHA256 is the SHA-256 of the server's public key (its Subject Public
	// Key Info), in base64 or hex, with or without a leading "sha256//" as curl
	// writes it. The server's own host is then believed if and only if it has
	// that key: neither name, authority nor dates of its certificate matter.
	PinSHA256 string

	// Insecure believes any certificate of any host. Whoever sits in between
	// can then read and change everything. It is logged as a warning each time
	// a client is made. A PinSHA256 is checked all the same.
	Insecure bool
}

// errPin is wrapped by the error for a server whose key is not the pinned one.
var errPin = errors.New("the server's public key is not the pinned one")

// config makes the TLS configuration for a server on the given host name (no
// port). Hosts of files are verified in the usual way, pin or not.
func (o TLSOptions) config(host string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pool, err := readCAs(o.CAFile)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = pool
	}
	if (o.ClientCertFile == "") != (o.ClientKeyFile == "") {
		return nil, errors.New("a client certificate needs both its file and its key's file")
	}
	if o.ClientCertFile != "" {
		cert, err := tls.LoadX509KeyPair(o.ClientCertFile, o.ClientKeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate %s with key %s: %w", o.ClientCertFile, o.ClientKeyFile, err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	cfg.InsecureSkipVerify = o.Insecure
	if o.PinSHA256 != "" {
		pin, err := parsePin(o.PinSHA256)
		if err != nil {
			return nil, err
		}
		// Certificates and connections know the name in one form only.
		host = strings.TrimSuffix(host, ".")
		if strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
			return nil, fmt.Errorf("a pin needs the host name %q in the form that DNS has it, with xn--", host)
		}
		// The standard verification would refuse the self-signed certificate
		// that a pin is for; verifyPin takes its place.
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = func(cs tls.ConnectionState) error {
			return o.verifyPin(cs, cfg.RootCAs, host, pin)
		}
	}
	return cfg, nil
}

// verifyPin decides about one connection while a pin is set.
//
//	host             has the pinned key   has another key
//	the server's     believed             refused
//	another          believed             verified as usual, or Insecure
func (o TLSOptions) verifyPin(cs tls.ConnectionState, roots *x509.CertPool, host string, pin []byte) error {
	leaf := cs.PeerCertificates[0]
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	if bytes.Equal(sum[:], pin) {
		return nil
	}
	if strings.EqualFold(cs.ServerName, host) || cs.ServerName == "" {
		return fmt.Errorf("%w: it is %s", errPin, base64.StdEncoding.EncodeToString(sum[:]))
	}
	if o.Insecure {
		return nil
	}
	intermediates := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: cs.ServerName, Roots: roots, Intermediates: intermediates})
	return err
}

func readCAs(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("CA file %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

func parsePin(text string) ([]byte, error) {
	text = strings.TrimPrefix(text, "sha256//")
	if pin, err := hex.DecodeString(strings.ReplaceAll(text, ":", "")); err == nil && len(pin) == sha256.Size {
		return pin, nil
	}
	if pin, err := base64.StdEncoding.DecodeString(text); err == nil && len(pin) == sha256.Size {
		return pin, nil
	}
	return nil, fmt.Errorf("pin %q is not a SHA-256 in base64 or hex", text)
}
