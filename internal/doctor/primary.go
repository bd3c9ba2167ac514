package doctor

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/feedserver"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
	"github.com/chef-sync/chef-sync/internal/feedserver/primary"
)

const reconfigure = "chef-sync-ctl reconfigure"

// database looks whether the feed server can log in to the Chef server's
// PostgreSQL.
func database(_ context.Context, x *exam, _ subject) []Finding {
	pool, err := x.pool()
	switch {
	case errors.Is(err, primary.ErrDatabase):
		return failed("$EDITOR "+x.File, "%v", err)
	case err != nil:
		return failed("chef-server-ctl status postgresql    # and ec_sync_server['database'] in "+x.File, "log in to the Chef server's database: %s", primary.WithoutDSN(err))
	}
	return fine("the database %s answers", primary.Where(pool.Config()))
}

// loggedIn skips what needs the database.
func loggedIn(_ context.Context, x *exam, _ subject) string {
	if _, err := x.pool(); err != nil {
		return "the database does not answer: see database"
	}
	return ""
}

// changeLog looks at the schema and at the capture.
func changeLog(ctx context.Context, x *exam, _ subject) []Finding {
	pool, err := x.pool()
	if err != nil {
		return skipped("see database")
	}
	var s changelog.Status
	log, err := changelog.Open(ctx, pool, changelog.Options{Capture: changelog.Capture(x.Config.Server.Capture)})
	if err == nil {
		s, err = log.Status(ctx)
	}
	switch {
	case errors.Is(err, changelog.ErrNotInstalled):
		return failed(reconfigure, "%v", err)
	case err != nil:
		return failed(reconfigure, "the change log cannot be read: %s", primary.WithoutDSN(err))
	}
	if len(s.Problems) > 0 {
		return warning(reconfigure, "the change log, with capture %s: %s", s.Capture, strings.Join(s.Problems, "; "))
	}
	if !s.Seeded {
		return warning("systemctl start ec-syncd", "the change log is not complete yet: a running ec-syncd completes it within seconds")
	}
	return fine("the change log has version %d, captures by %s, and knows %s", s.Version, s.Capture, count(len(s.Organizations), "organization"))
}

// readableKeys looks whether the feed server can tell who asks.
func readableKeys(ctx context.Context, x *exam, _ subject) []Finding {
	side := x.Config.Server
	if side.ValidateURL != "" {
		glance, err := chef.Look(ctx, chef.Options{URL: side.ValidateURL, Timeout: x.limit(), Retries: -1})
		if err != nil {
			return failed(cmp.Or(chef.Hint(err), "ec_sync_server['validate_url'] in "+x.File), "%v", err)
		}
		return fine("%s, which is %s, is asked who asks", side.ValidateURL, glance)
	}
	pool, err := x.pool()
	if err != nil {
		return skipped("see database")
	}
	keys, err := feedserver.NewKeys(pool, side.AuthSkew)
	if err == nil {
		err = keys.Check(ctx)
	}
	if err != nil {
		return failed("GRANT SELECT ON orgs, users, clients, keys, org_user_associations TO "+pool.Config().ConnConfig.User,
			"who asks cannot be told: %s", primary.WithoutDSN(err))
	}
	return fine("keys can be read in the database")
}

// feedServer asks it how it is.
func feedServer(ctx context.Context, x *exam, _ subject) []Finding {
	root := x.feedRoot()
	start := "systemctl restart ec-syncd"
	served, body, err := x.askFeedServer(ctx, root+"/_status")
	if err != nil {
		return failed(start, "the feed server does not answer: %v", err)
	}
	var status struct {
		Status     string   `json:"status"`
		Writes     bool     `json:"writes"`
		LagSeconds float64  `json:"lag_seconds"`
		Problems   []string `json:"problems"`
	}
	if json.Unmarshal(body, &status) != nil || status.Status == "" {
		return failed(fmt.Sprintf("ss -ltnp 'sport = :%d'", x.Config.Server.Port), "something else than a feed server answers at %s", root)
	}
	switch {
	case status.Status != "pong":
		return failed(reconfigure+"    # and then "+start, "the feed server at %s does not work: %s", root, strings.Join(status.Problems, "; "))
	case served != nil && !x.configured(served):
		return warning(start, "the feed server at %s shows another certificate than %s", root, x.Config.Server.TLSCert)
	case len(status.Problems) > 0:
		return warning(reconfigure, "the feed server at %s: %s", root, strings.Join(status.Problems, "; "))
	case status.Writes:
		return fine("the feed server answers at %s, %.1f s behind", root, status.LagSeconds)
	}
	return fine("the feed server answers at %s; another one writes the log", root)
}

// feedRoot is where the feed server of this host answers.
func (x *exam) feedRoot() string {
	s := x.Config.Server
	scheme, host := "http", s.VIP
	if s.TLSCert != "" {
		scheme = "https"
	}
	if ip := net.ParseIP(s.Listen); ip != nil && !ip.IsUnspecified() {
		host = s.Listen
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(s.Port))
}

// askFeedServer returns the certificate that was shown, if any, and the body.
func (x *exam) askFeedServer(ctx context.Context, at string) (cert, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, nil, err
	}
	// Whose certificate it is is looked at afterwards: its name is not this one's.
	t := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} //nolint:gosec // see above
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		cert = resp.TLS.PeerCertificates[0].Raw
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return cert, body, err
}

// configured reports whether a certificate is that of the configuration.
func (x *exam) configured(cert []byte) bool {
	pair, err := tls.LoadX509KeyPair(x.Config.Server.TLSCert, x.Config.Server.TLSKey)
	return err == nil && bytes.Equal(pair.Certificate[0], cert)
}

// allowed looks whether the replicator may ask.
func allowed(_ context.Context, x *exam, _ subject) []Finding {
	user, list := x.Config.Primary.User, x.Config.Server.Allow
	if !slices.Contains(list, user) {
		return warning("ec_sync_server['allow'] in "+x.File, "%s may not ask for changes, only %s may", user, strings.Join(list, ", "))
	}
	return fine("%s may ask for changes", strings.Join(list, ", "))
}

// nginx looks whether requests for changes come to the feed server.
func nginx(_ context.Context, x *exam, _ subject) []Finding {
	s := x.Config.Server
	switch {
	case s.NginxAddonDir == "":
		return skipped("ec_sync_server['nginx_addon_dir'] is '': pass /organizations/ORG/updated_since to %s yourself", x.feedRoot())
	case !primary.IsDir(s.NginxAddonDir):
		return warning("ec_sync_server['nginx_addon_dir'] in "+x.File, "there is no directory %s: pass /organizations/ORG/updated_since to %s yourself", s.NginxAddonDir, x.feedRoot())
	}
	for _, f := range primary.Nginx(s.NginxAddonDir, s.VIP, s.Port, s.TLSCert != "") {
		if !f.Present() {
			return failed(reconfigure+" && chef-server-ctl hup nginx", "%s is missing, or not as this configuration wants it", f.Path)
		}
	}
	return fine("nginx is told of the feed server in %s", s.NginxAddonDir)
}
