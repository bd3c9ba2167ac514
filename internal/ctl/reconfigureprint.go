package ctl

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/feedserver"
	"github.com/chef-sync/chef-sync/internal/feedserver/changelog"
	"github.com/chef-sync/chef-sync/internal/feedserver/primary"
	"github.com/chef-sync/chef-sync/internal/object"
)

const (
	// connectTimeout bounds a login to the database, and a look at it.
	connectTimeout = 20 * time.Second

	// oldestPostgreSQL is what the change log is written for.
	oldestPostgreSQL = 13_00_00
)

// reconfigured is the answer of reconfigure.
type reconfigured struct {
	Role          string      `json:"role"`
	DryRun        bool        `json:"dry_run"`
	Uninstall     bool        `json:"uninstall"`
	Database      string      `json:"database,omitempty"`
	PostgreSQL    string      `json:"postgresql,omitempty"`
	Superuser     bool        `json:"superuser"`
	Capture       string      `json:"capture,omitempty"`
	Organizations []string    `json:"organizations,omitempty"`
	Changes       int64       `json:"changes"`
	Statements    []statement `json:"statements"`
	Files         []file      `json:"files"`
	Notes         []string    `json:"notes"`
	Next          []string    `json:"next"`
}

type statement struct {
	Why string `json:"why"`
	SQL string `json:"sql"`
}

// file is a file and what was done about it, or would be.
type file struct {
	Path    string `json:"path"`
	Done    string `json:"done"` // written, unchanged, removed, absent; with --dry-run what would be
	Content string `json:"content,omitempty"`
}

// nginx writes what the Chef server's nginx has to read.
func (r *reconfiguration) nginx() error {
	dir := r.side.NginxAddonDir
	if dir == "" {
		r.note("ec_sync_server['nginx_addon_dir'] is '': pass /organizations/ORG/updated_since to %s yourself.", r.root())
		return nil
	}
	if !primary.IsDir(dir) {
		r.note("There is no directory %s: this is no omnibus Chef server, or its nginx is elsewhere (ec_sync_server['nginx_addon_dir']). Pass /organizations/ORG/updated_since to %s yourself.", dir, r.root())
		return nil
	}
	changed := false
	for _, f := range primary.Nginx(dir, r.side.VIP, r.side.Port, r.side.TLSCert != "") {
		done := file{Path: f.Path, Done: "unchanged"}
		if !f.Present() {
			changed, done.Done = true, "written"
			if r.dry {
				done.Content = f.Content
			} else if err := f.Write(); err != nil {
				return fail(ExitNotDone, "sudo "+program+" reconfigure", "reconfigure: tell nginx: %w", err)
			}
		}
		r.answer.Files = append(r.answer.Files, done)
	}
	if changed {
		r.reload()
	}
	return nil
}

func (r *reconfiguration) reload() {
	r.answer.Next = append(r.answer.Next, "chef-server-ctl hup nginx")
}

// remove takes everything away again.
func (r *reconfiguration) remove(ctx context.Context) error {
	if r.dry {
		plan, err := changelog.PlanUninstall(ctx, r.conn)
		if err != nil {
			return r.refused(err)
		}
		for _, s := range plan {
			r.answer.Statements = append(r.answer.Statements, statement{Why: s.Why, SQL: s.SQL})
		}
	} else {
		question := fmt.Sprintf("Remove the change log from %s? Replicas go on by comparing lists.", r.answer.Database)
		if err := r.confirm(question, object.Pair{Destination: "--" + flagUninstall}); err != nil {
			return err
		}
		if err := changelog.Uninstall(ctx, r.conn); err != nil {
			return r.refused(err)
		}
		r.note("The change log is removed: nothing of ours is in the database.")
	}
	for _, f := range primary.Nginx(r.side.NginxAddonDir, r.side.VIP, r.side.Port, false) {
		if r.side.NginxAddonDir == "" {
			break
		}
		removed, err := f.Ours()
		if err == nil && !r.dry {
			removed, err = f.Remove()
		}
		if err != nil {
			return fail(ExitNotDone, "", "reconfigure: %w", err)
		}
		if removed {
			r.answer.Files = append(r.answer.Files, file{Path: f.Path, Done: "removed"})
		}
	}
	if len(r.answer.Files) > 0 {
		r.reload()
	}
	r.answer.Next = append(r.answer.Next, "systemctl disable --now ec-syncd")
	return nil
}

// checkKeys tries to read keys, unless the Chef server is asked about them.
func (r *reconfiguration) checkKeys(ctx context.Context, pool *pgxpool.Pool) error {
	if r.side.ValidateURL != "" && r.side.ValidateURL != config.ValidateNone {
		return nil
	}
	keys, err := feedserver.NewKeys(pool, r.side.AuthSkew)
	if err == nil {
		err = keys.Check(ctx)
	}
	if err != nil {
		return fail(ExitNotDone, "$EDITOR "+r.set.file,
			"reconfigure: the feed server cannot tell who asks: %w; grant it SELECT on orgs, users, clients, keys and org_user_associations, or set ec_sync_server['validate_url']", err)
	}
	if root := primary.Erchef(""); root != "" && r.side.ValidateURL == "" {
		r.checkErchef(ctx, root)
	}
	return nil
}

// checkErchef says whether the Chef server on this host will be asked as well.
func (r *reconfiguration) checkErchef(ctx context.Context, root string) {
	chef, err := feedserver.NewValidator(root)
	if err == nil {
		err = chef.Check(ctx)
	}
	if err != nil {
		r.note("Who asks for changes is told by the keys in the database alone: the Chef server, at %s, does not say: %v.", root, err)
	} else {
		r.note("Who asks for changes is told by the keys in the database, and the Chef server at %s has to agree.", root)
	}
}

// root is the URL of the feed server.
func (r *reconfiguration) root() string {
	scheme := "http"
	if r.side.TLSCert != "" {
		scheme = "https"
	}
	host := r.side.VIP
	if ip := net.ParseIP(r.side.Listen); ip != nil && !ip.IsUnspecified() {
		host = r.side.Listen
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(r.side.Port))
}

// show prints the answer.
func (r *reconfiguration) show() error {
	if r.print.json {
		return r.print.document(r.answer)
	}
	var b strings.Builder
	a := r.answer
	if a.Database != "" {
		fmt.Fprintf(&b, "database: %s, PostgreSQL %s\n", a.Database, a.PostgreSQL)
	}
	if len(a.Organizations) > 0 {
		fmt.Fprintf(&b, "organizations: %s\n", strings.Join(a.Organizations, ", "))
	}
	if r.dry {
		for _, s := range a.Statements {
			fmt.Fprintf(&b, "\n-- %s\n%s;\n", s.Why, strings.TrimSuffix(strings.TrimSpace(s.SQL), ";"))
		}
		b.WriteString("\n")
	}
	for _, f := range a.Files {
		verb := f.Done
		if r.dry && verb != "unchanged" {
			verb = "would be " + verb
		}
		fmt.Fprintf(&b, "%s: %s\n", f.Path, verb)
		for line := range strings.Lines(f.Content) {
			b.WriteString("    " + line)
		}
	}
	for _, n := range a.Notes {
		b.WriteString(n + "\n")
	}
	if r.dry {
		b.WriteString("Nothing was done.\n")
	} else if len(a.Next) > 0 {
		b.WriteString("next:\n")
		for _, n := range a.Next {
			b.WriteString("  " + r.print.given.on(n) + "\n")
		}
	}
	_, err := fmt.Fprint(r.print.out, clean(b.String()))
	return err
}
