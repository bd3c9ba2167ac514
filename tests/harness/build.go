package harness

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A build is one program, built at most once per run.
type build struct {
	sync.Once
	file string
	err  error
}

// BuildBinary builds a main package of this module, such as "./worker", once per
// run and returns the file. Flags for go build (-tags noembed) come after it.
func BuildBinary(t testing.TB, pkg string, flags ...string) string {
	t.Helper()
	dir := runDir(t)
	key := pkg + " " + strings.Join(flags, " ")
	run.Lock()
	if run.builds == nil {
		run.builds = map[string]*build{}
	}
	b := run.builds[key]
	if b == nil {
		b = &build{file: filepath.Join(dir, fmt.Sprintf("bin-%d", len(run.builds)), filepath.Base(pkg))}
		run.builds[key] = b
	}
	run.Unlock()
	b.Do(func() { b.err = goBuild(b.file, pkg, flags) })
	if b.err != nil {
		t.Fatalf("harness: %v", b.err)
	}
	return b.file
}

func goBuild(file, pkg string, flags []string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	args := append([]string{"build", "-o", file}, flags...)
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// moduleRoot finds the directory of go.mod; tests run in their package's one.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if isFile(filepath.Join(dir, "go.mod")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above %s", start)
		}
	}
}

type keypair struct{ private, public string }

// Keypair returns an RSA key of 2048 bits in PEM, the private part as PKCS #1,
// as Chef servers hand them out, and the public one as PKIX. It is made once per
// run; all callers get the same one.
func Keypair(t testing.TB) (private, public string) {
	t.Helper()
	run.Lock()
	defer run.Unlock()
	if run.keys == nil {
		keys, err := newKeypair()
		if err != nil {
			t.Fatalf("harness: %v", err)
		}
		run.keys = keys
	}
	return run.keys.private, run.keys.public
}

func newKeypair() (*keypair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &keypair{
		private: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		public:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}, nil
}

// publicPEM is a public key as Chef servers take it.
func publicPEM(key *rsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}
