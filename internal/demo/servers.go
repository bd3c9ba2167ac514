package demo

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
)

const syncUser = "ec_sync_user"

// servers are the two Chef servers of the demo.
type servers struct {
	primary, replica server
	keyFile          string // of the sync user, who is an admin on both
}

// server is one Chef server on a loopback port.
type server struct {
	url  string
	http *http.Server
}

func startServers(ctx context.Context, dir string) (*servers, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	s := &servers{keyFile: filepath.Join(dir, syncUser+".pem")}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(s.keyFile, private, 0o600); err != nil {
		return nil, err
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	// Only the primary has the change feed, as a primary with ec-syncd has it.
	if s.primary, err = startServer(ctx, chefserver.Options{Feed: true}, publicPEM); err != nil {
		return nil, err
	}
	if s.replica, err = startServer(ctx, chefserver.Options{}, publicPEM); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func startServer(ctx context.Context, o chefserver.Options, publicPEM []byte) (server, error) {
	chef := chefserver.New(o)
	if _, err := chef.CreateOrganization(Organization, "Acme Corporation"); err != nil {
		return server{}, err
	}
	if err := chef.CreateUser(syncUser, publicPEM); err != nil {
		return server{}, err
	}
	if err := chef.AddMember(Organization, syncUser, true); err != nil {
		return server{}, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return server{}, err
	}
	s := server{url: "http://" + l.Addr().String(), http: &http.Server{Handler: chef, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return s, nil
}

func (s *servers) close() {
	for _, one := range []server{s.primary, s.replica} {
		if one.http != nil {
			_ = one.http.Close()
		}
	}
}
