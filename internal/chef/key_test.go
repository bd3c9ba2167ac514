package chef

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestReadKey(t *testing.T) {
	key := testKey()
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := x509.MarshalPKCS8PrivateKey(elliptical)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: []byte("x"),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"},
	})
	for _, tt := range []struct {
		name string
		text []byte
		mode fs.FileMode
		want string // in the error; "" wants the key
	}{
		{"PKCS#1", pemOf("RSA PRIVATE KEY", pkcs1), 0o600, ""},
		{"PKCS#8", pemOf("PRIVATE KEY", pkcs8), 0o400, ""},
		{"after other text", append([]byte("a key:\n"), pemOf("PRIVATE KEY", pkcs8)...), 0o600, ""},
		{"group may read", pemOf("RSA PRIVATE KEY", pkcs1), 0o640, "chmod 600 "},
		{"all may read", pemOf("RSA PRIVATE KEY", pkcs1), 0o604, "chmod 600 "},
		{"public", pemOf("PUBLIC KEY", public), 0o600, "it is a public key"},
		{"certificate", pemOf("CERTIFICATE", public), 0o600, "it is a certificate"},
		{"encrypted PKCS#1", encrypted, 0o600, "passphrase"},
		{"encrypted PKCS#8", pemOf("ENCRYPTED PRIVATE KEY", pkcs8), 0o600, "passphrase"},
		{"OpenSSH", pemOf("OPENSSH PRIVATE KEY", pkcs8), 0o600, "ssh-keygen -p -m PEM"},
		{"elliptic curve", pemOf("PRIVATE KEY", ec), 0o600, "RSA keys only"},
		{"damaged PKCS#1", pemOf("RSA PRIVATE KEY", pkcs1[5:]), 0o600, "does not hold an RSA key"},
		{"damaged PKCS#8", pemOf("PRIVATE KEY", pkcs8[5:]), 0o600, "does not hold a private key"},
		{"not PEM", []byte("hunter2"), 0o600, "not a PEM file"},
		{"another block", pemOf("DH PARAMETERS", pkcs8), 0o600, "DH PARAMETERS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key.pem")
			if err := os.WriteFile(file, tt.text, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
			got, err := ReadKey(file)
			if tt.want == "" {
				if err != nil || !got.Equal(key) {
					t.Fatalf("ReadKey: got error %v and equal key %t, want the key", err, got.Equal(key))
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
				t.Fatalf("ReadKey: got error %v, want one with %q and the file's name", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the file: %v", err)
			}
		})
	}
	if _, err := ReadKey(t.TempDir()); err == nil {
		t.Error("ReadKey of a folder: got no error")
	}
	if _, err := ReadKey(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadKey of an absent file: got %v", err)
	}
}
