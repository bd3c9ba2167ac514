package prepare

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/chef-sync/chef-sync/internal/chef"
)

const keyBits = 2048

// readKey reads the key file, if there is one.
func (r *run) readKey() error {
	key, err := chef.ReadKey(r.KeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &Error{Step: "key", What: "the key of " + r.User + " is there and cannot be used", Try: []string{TryMendKey}, Err: err}
	}
	return r.signWith(key)
}

// signWith makes key the one of the user.
func (r *run) signWith(key *rsa.PrivateKey) error {
	own, err := r.SignAs(key)
	if err != nil {
		return &Error{Step: "key", What: "sign as " + r.User, Err: err}
	}
	r.key, r.own = key, own
	return nil
}

// writeKey generates a key and writes it down, before any server knows it: what
// breaks off now is taken up by the next run, which finds the file. It never
// writes over one.
func (r *run) writeKey() error {
	generate := r.NewKey
	if generate == nil {
		generate = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, keyBits) }
	}
	key, err := generate()
	if err == nil {
		err = saveKey(r.KeyFile, key, r.KeyDir)
	}
	if err != nil {
		return &Error{Step: "key", What: "write a new key of " + r.User, Err: err}
	}
	return r.signWith(key)
}

// saveKey writes a key to a file that must not exist. A file that could not be
// completed is removed.
func saveKey(file string, key *rsa.PrivateKey, like string) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // others may know that there is a key
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(file))
		}
	}()
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := giveTo(f, like); err != nil {
		return err
	}
	return f.Sync()
}

// giveTo gives a file to the owner of a directory, if we are the one who may. The
// daemon need not run as whoever prepares.
func giveTo(f *os.File, dir string) error {
	if dir == "" || os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// publicPEM is the public part of the key, as Chef servers take it.
func publicPEM(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", fmt.Errorf("public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}
