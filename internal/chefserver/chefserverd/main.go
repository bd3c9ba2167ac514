// Chefserverd runs the in-process Chef Infra Server of package chefserver on an
// address of its own, so that knife, chef-client or the Chef API contract tests
// can be pointed at it. Nothing it holds survives it.
//
//	chefserverd -listen 127.0.0.1:8889 -dir /tmp/chef -org acme -feed
//
// writes /tmp/chef/pivotal.pem and /tmp/chef/acme-validator.pem and serves until
// it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
)

// shutdownTimeout is how long requests under way may take after Ctrl-C.
const shutdownTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "chefserverd:", err)
		}
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("chefserverd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:8889", "`address` to serve on")
	dir := flags.String("dir", ".", "`directory` for the private keys")
	org := flags.String("org", "", "`name` of an organization to create")
	feed := flags.Bool("feed", false, "serve the native change feed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	s := chefserver.New(chefserver.Options{Feed: *feed})
	if err := writeKeys(s, *dir, *org); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintf(stdout, "serving http://%s, keys in %s\n", l.Addr(), *dir)
	return serve(ctx, l, s)
}

func writeKeys(s *chefserver.Server, dir, org string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("key directory: %w", err)
	}
	if err := writeKey(filepath.Join(dir, "pivotal.pem"), s.PivotalKeyPEM()); err != nil {
		return err
	}
	if org == "" {
		return nil
	}
	validator, err := s.CreateOrganization(org, org)
	if err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, org+"-validator.pem"), validator)
}

// writeKey replaces the file, so that its mode is right even if it was there.
func writeKey(path string, data []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("private key: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	return nil
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(limit); err != nil {
		srv.Close() //nolint:errcheck // Whoever did not finish in time is cut off.
	}
	<-done
	return nil
}
