package primary

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// A File is one that belongs on the host.
type File struct {
	Path    string
	Content string
}

// The files in the addon.d directory of an omnibus Chef server's nginx: it
// includes *_upstreams.conf beside its servers, and *_external.conf inside of
// the one that others reach.
const (
	upstreamsFile = "50-chef-sync_upstreams.conf"
	externalFile  = "50-chef-sync_external.conf"
)

const written = "# Written by chef-sync-ctl reconfigure, which writes it again and with --uninstall removes it.\n"

// Nginx returns what nginx has to read to pass requests for changes to the feed
// server at host:port.
func Nginx(dir, host string, port int, tls bool) []File {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return []File{
		{filepath.Join(dir, upstreamsFile), written + fmt.Sprintf(`upstream chef_sync_feed {
  server %s;
  keepalive 8;
}
`, net.JoinHostPort(host, strconv.Itoa(port)))},
		{filepath.Join(dir, externalFile), written + fmt.Sprintf(`# A request may wait for a change up to 60 seconds. The path goes on as it came:
# it is signed.
location ~ "^/organizations/([^/]+)/(updated_since|objects_since)/?$" {
  proxy_pass %s://chef_sync_feed;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_connect_timeout 5s;
  proxy_read_timeout 90s;
  proxy_next_upstream off;
}
`, scheme)},
	}
}

// Present reports whether the file is there as it should be.
func (f File) Present() bool {
	text, err := os.ReadFile(f.Path)
	return err == nil && string(text) == f.Content
}

// Write makes the file, at once or not at all.
func (f File) Write() error {
	t, err := os.CreateTemp(filepath.Dir(f.Path), ".chef-sync-*")
	if err != nil {
		return err
	}
	defer os.Remove(t.Name()) //nolint:errcheck // it has its name by then, or there was an error
	_, err = t.WriteString(f.Content)
	err = errors.Join(err, t.Chmod(0o644), t.Close())
	if err != nil {
		return err
	}
	return os.Rename(t.Name(), f.Path)
}

// Ours reports whether the file is there. Its error is that it is, and is not ours
// to remove.
func (f File) Ours() (bool, error) {
	text, err := os.ReadFile(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !bytes.HasPrefix(text, []byte(written)):
		return false, fmt.Errorf("%s was not written by chef-sync-ctl: remove it yourself", f.Path)
	}
	return true, nil
}

// Remove removes the file if there is one and it is ours.
func (f File) Remove() (removed bool, err error) {
	if ours, err := f.Ours(); !ours {
		return false, err
	}
	return true, os.Remove(f.Path)
}

// IsDir reports whether there is a directory of that name.
func IsDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}
