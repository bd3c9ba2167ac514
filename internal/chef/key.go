package chef

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxKeyBytes is far above any RSA key in PEM form; it keeps a wrong path (a
// log file, a device) from being read into memory.
const maxKeyBytes = 1 << 20

// ReadKey reads an RSA private key in PEM form, PKCS#1 or PKCS#8, from file. It
// refuses a file that anyone but its owner has access to; the error names the
// command that helps. No error holds any part of the file.
func ReadKey(file string) (*rsa.PrivateKey, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	if err := checkKeyMode(file, info.Mode()); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyBytes))
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", file, err)
	}
	return key, nil
}

// checkKeyMode refuses a key file that is no file or not its owner's alone.
func checkKeyMode(file string, mode fs.FileMode) error {
	if !mode.IsRegular() {
		return fmt.Errorf("private key %s: not a regular file", file)
	}
	if mode.Perm()&0o077 != 0 {
		return fmt.Errorf("private key %s: others than its owner have access to it (mode %04o): run chmod 600 %s",
			file, mode.Perm(), file)
	}
	return nil
}

// parseKey finds the first PEM block of text and makes a private key of it, or
// says what it is instead.
func parseKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("not a PEM file: it should begin with -----BEGIN RSA PRIVATE KEY-----")
	}
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errors.New("it is encrypted with a passphrase: write it without one with openssl rsa -in FILE -out NEWFILE")
	case block.Type == "PUBLIC KEY" || block.Type == "RSA PUBLIC KEY":
		return nil, errors.New("it is a public key; the private key is needed")
	case block.Type == "CERTIFICATE":
		return nil, errors.New("it is a certificate; the private key is needed")
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, errors.New("it is in OpenSSH's form: convert it in place with ssh-keygen -p -m PEM -f FILE")
	case block.Type == "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the PEM block does not hold an RSA key")
		}
		return key, nil
	case block.Type == "PRIVATE KEY":
		return parsePKCS8(block.Bytes)
	}
	return nil, fmt.Errorf("it is a %s, not a private key", block.Type)
}

func parsePKCS8(der []byte) (*rsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("the PEM block does not hold a private key")
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T; Chef servers know RSA keys only", key)
	}
	return rsaKey, nil
}
