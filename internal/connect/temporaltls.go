package connect

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"

	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/config"
)

// maxSecretBytes bounds a file with a key or certificates.
const maxSecretBytes = 1 << 20

// secured adds to opts what chef-sync.rb says of TLS and of an API key; what it
// does not say stays as the profile has it. Every file is read once here, so that
// what is wrong with one is said at the start. Client certificate and API key are
// read again when they are used: who renews them need not restart anything.
func secured(opts client.Options, t config.Temporal) (client.Options, error) {
	if (t.TLS != config.TemporalTLS{}) {
		conf, err := temporalTLS(opts.ConnectionOptions.TLS, t.TLS)
		if err != nil {
			return opts, err
		}
		opts.ConnectionOptions.TLS, opts.ConnectionOptions.TLSDisabled = conf, false
	}
	if t.APIKeyFile != "" {
		if _, err := apiKey(t.APIKeyFile); err != nil {
			return opts, err
		}
		opts.Credentials = client.NewAPIKeyDynamicCredentials(func(context.Context) (string, error) { return apiKey(t.APIKeyFile) })
		if opts.ConnectionOptions.TLS == nil {
			opts.ConnectionOptions.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		opts.ConnectionOptions.TLSDisabled = false // a key is never sent in the clear
	}
	return opts, nil
}

// temporalTLS is what the profile says, nil for nothing, and t over it.
func temporalTLS(profile *tls.Config, t config.TemporalTLS) (*tls.Config, error) {
	conf := profile.Clone()
	if conf == nil {
		conf = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if t.ServerName != "" {
		conf.ServerName = t.ServerName
	}
	if t.Insecure {
		conf.InsecureSkipVerify = true //nolint:gosec // asked for, and the configuration warns of it
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("temporal['tls']['ca_file']: %w", err)
		}
		if conf.RootCAs, err = x509.SystemCertPool(); err != nil {
			conf.RootCAs = x509.NewCertPool() // a host without any
		}
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("temporal['tls']['ca_file']: %s holds no certificate in PEM form", t.CAFile)
		}
	}
	if t.ClientCertFile != "" {
		if _, err := clientCert(t); err != nil {
			return nil, err
		}
		conf.Certificates = nil
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return clientCert(t) }
	}
	return conf, nil
}

// clientCert reads the certificate to show to Temporal, and its key.
func clientCert(t config.TemporalTLS) (*tls.Certificate, error) {
	cert, err := os.ReadFile(t.ClientCertFile)
	if err != nil {
		return nil, fmt.Errorf("temporal['tls']['client_cert']: %w", err)
	}
	key, err := readSecret(t.ClientKeyFile)
	if err != nil {
		return nil, fmt.Errorf("temporal['tls']['client_key']: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("temporal['tls']: %s and %s: %w", t.ClientCertFile, t.ClientKeyFile, err)
	}
	return &pair, nil
}

// apiKey reads an API key. No error repeats it.
func apiKey(file string) (string, error) {
	text, err := readSecret(file)
	if err != nil {
		return "", fmt.Errorf("temporal['api_key_file']: %w", err)
	}
	key := bytes.TrimSpace(text)
	if len(key) == 0 || bytes.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", fmt.Errorf("temporal['api_key_file']: %s does not hold an API key and nothing else", file)
	}
	return string(key), nil
}

// readSecret reads a file that is its owner's alone.
func readSecret(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New(file + " is not a regular file")
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s: others than its owner have access to it (mode %04o): run chmod 600 %s", file, info.Mode().Perm(), file)
	}
	return io.ReadAll(io.LimitReader(f, maxSecretBytes))
}
