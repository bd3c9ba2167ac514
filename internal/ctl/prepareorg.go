package ctl

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/prepare"
)

const (
	flagSide   = "side"
	flagUser   = "user"
	flagKey    = "key"
	flagAddKey = "add-key"
	flagMember = "member"

	sidePrimary = "primary"
	sideReplica = "replica"

	// superuser and superuserKey are those of every Chef Infra Server.
	superuser    = "pivotal"
	superuserKey = "/etc/opscode/pivotal.pem"

	// backoff is short because somebody waits, and a 403 is asked again.
	backoff = 100 * time.Millisecond

	// thisHost is the server where chef-sync.rb of a primary names none.
	thisHost = "https://127.0.0.1"
)

func (a *App) prepareOrgCommand() *cli.Command {
	return &cli.Command{
		Name:      "prepare-org",
		Usage:     "make the user that replicates a member and an admin of an organization",
		ArgsUsage: "ORG",
		Description: `Run it once for each organization on both sides, after reconfigure: on the primary
with the name that the organization has there, on the replica with its name there.

It creates the user of chef-sync.rb (sync_user) where it is missing, with the key
in sync_key, which is generated where that is missing; makes the user a member of
the organization and puts it into the group admins; reads all of that back; tries
what the user may do; and lists the organization, its groups, and who has rights on
it. What is as it should be is left alone, so it may be repeated; no key, no file
and no member of a group is ever replaced or removed.

   ` + program + ` prepare-org acme --dry-run
   ` + program + ` prepare-org acme                     # as root on the Chef server
   ` + program + ` prepare-org acme --side primary --user pivotal --key pivotal-of-primary.pem
   ` + program + ` prepare-org acme --user alice --key alice.pem    # an admin of acme
   ` + program + ` prepare-org acme --output json

It acts as the superuser pivotal with /etc/opscode/pivotal.pem. Without a superuser,
an admin of the organization can do it: then the user that replicates, which has to
exist, is invited and accepts with its own key. Without either key the user
itself looks, and accepts an invitation that somebody else sent.

The side is that of this host's role; with :master_and_replica, and to prepare the
other server from here, name it with --side.

The key is made on the side that is prepared first. Copy the file to the other
host before you prepare that one, which then takes the same key. A user that has
another key keeps it: --add-key gives it one more.

--member leaves it at membership, which is enough to read the content of a
primary, not its groups and ACLs.

The exit code is 0 if everything is as it should be, 1 if the user lacks rights all
the same, 2 if the command line or the configuration is wrong, 4 if a step could not
be done.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagDryRun, DisableDefaultText: true, Usage: "look, say what would be done, and do nothing"},
			&cli.StringFlag{Name: flagSide, Usage: "prepare the primary or the replica, `SIDE` (default: that of this host's role)"},
			&cli.StringFlag{Name: flagUser, Usage: "act as `NAME`, the superuser or an admin of ORG (default: " + superuser + ")"},
			&cli.StringFlag{Name: flagKey, Usage: "sign with the private key in `FILE` (default: " + superuserKey + ")"},
			&cli.StringFlag{Name: flagAddKey, Usage: "add the key in sync_key, as `NAME`, to a user that exists with other keys"},
			&cli.BoolFlag{Name: flagMember, DisableDefaultText: true, Usage: "on a primary, do not make the user an admin"},
		},
		Action: a.prepareOrg,
	}
}

// preparation is one prepare-org under way.
type preparation struct {
	*call
	org  string
	side string

	server config.Server
	user   string // who acts; "" if it is the user itself
	key    string // its file
}

func (a *App) prepareOrg(c *cli.Context) error {
	if c.NArg() != 1 {
		return unusable("prepare-org", "prepare-org takes the name of one organization, and got %d", c.NArg())
	}
	if org := c.Args().First(); !config.IsOrganization(org) { // "" would mean the server itself
		return unusable("prepare-org", "%q is not the name of an organization: lower case letters, digits, - and _, beginning with a letter or digit", org)
	}
	k := &call{app: a, flags: c, command: "prepare-org"}
	var err error
	if k.print, err = a.printer(c); err != nil {
		return err
	}
	if k.set, err = a.settings(settingsFlags{file: c.String(flagConfig)}); err != nil {
		return err
	}
	p := &preparation{call: k, org: c.Args().First()}
	if err := errors.Join(p.onSide(), p.named()); err != nil {
		return firstFailure(err)
	}
	job, err := p.job()
	if err != nil {
		return err
	}
	result, err := job.Run(c.Context)
	if len(result.Steps) > 0 || err == nil {
		if err := p.show(result); err != nil {
			return err
		}
	}
	if err != nil {
		return p.undone(c.Context, err)
	}
	if len(result.Lacks) > 0 {
		return errLook
	}
	return nil
}

// onSide finds out which server is meant.
func (p *preparation) onSide() error {
	cfg := p.set.cfg
	switch p.side = p.flags.String(flagSide); p.side {
	case sidePrimary, sideReplica:
	case "":
		switch cfg.Role {
		case config.RoleMaster:
			p.side = sidePrimary
		case config.RoleReplica:
			p.side = sideReplica
		default:
			return fail(ExitUsage, program+" prepare-org "+p.org+" --side primary\n"+program+" prepare-org "+p.org+" --side replica",
				"prepare-org: this host has role :%s in %s: say which server is meant", cfg.Role, p.set.file)
		}
	default:
		return unusable(p.command, "--%s %s: there are %s and %s", flagSide, p.side, sidePrimary, sideReplica)
	}
	p.server = cfg.Primary
	if p.side == sideReplica {
		p.server = cfg.Replica
	}
	if p.server.URL == "" && p.side == sidePrimary && cfg.Role != config.RoleReplica {
		p.server.URL = thisHost
	}
	if onThisHost(&p.server) {
		p.print.warn("", "%s is this host: its certificate is for another name, and is not verified", thisHost)
	}
	if p.server.URL == "" {
		return fail(ExitUsage, "$EDITOR "+p.set.file+"\nssh REPLICA "+program+" prepare-org "+p.org,
			"prepare-org: %s names no %s, and this host has role :%s", p.set.file, p.side, cfg.Role)
	}
	if p.flags.Bool(flagMember) && p.side == sideReplica {
		return unusable(p.command, "--%s is for a primary: on a replica the user writes everything, and is an admin", flagMember)
	}
	return nil
}

// onThisHost accepts the certificate of the Chef server on this host, which is for
// another name and signed by itself, and reports whether it did. Only root can
// listen on that port, and root has the superuser's key anyway. Settings about
// certificates stay what they are.
func onThisHost(s *config.Server) bool {
	if s.URL != thisHost || s.TLS.CAFile != "" || s.TLS.PinSHA256 != "" || s.TLS.Insecure {
		return false
	}
	s.TLS.Insecure = true
	return true
}

// named checks that the configuration knows the organization on that side. That of
// a primary need not name any.
func (p *preparation) named() error {
	cfg := p.set.cfg
	if p.side == "" || len(cfg.Pairs) == 0 {
		return nil
	}
	here := func(pair object.Pair) string {
		if p.side == sidePrimary {
			return pair.Source
		}
		return pair.Destination
	}
	var names, meant []string
	for _, pair := range cfg.Pairs {
		switch name := here(pair); {
		case name == p.org:
			return nil
		case !slices.Contains(names, name):
			names = append(names, name)
		}
		if pair.Source == p.org || pair.Destination == p.org {
			meant = append(meant, here(pair))
		}
	}
	if len(meant) > 0 {
		again := program + " prepare-org " + meant[0]
		if p.flags.String(flagSide) != "" {
			again += " --" + flagSide + " " + p.side
		}
		return fail(ExitUsage, again, "prepare-org: on the %s the organization of the pair is called %s, not %s", p.side, strings.Join(meant, " or "), p.org)
	}
	return fail(ExitUsage, program+" prepare-org "+names[0]+"\n$EDITOR "+p.set.file,
		"prepare-org: %s is not an organization of the %s in %s, which has %s", p.org, p.side, p.set.file, strings.Join(names, ", "))
}

// firstFailure is the first of joined errors.
func firstFailure(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the very one of errors.Join
		return joined.Unwrap()[0]
	}
	return err
}

// job makes the work of it.
func (p *preparation) job() (prepare.Job, error) {
	job := prepare.Job{
		SignAs:  func(key *rsa.PrivateKey) (*chef.Client, error) { return p.client(p.server.User, key) },
		User:    p.server.User,
		KeyFile: p.server.KeyFile,
		KeyDir:  p.set.cfg.Dir,
		Writes:  p.side == sideReplica,
		Member:  p.flags.Bool(flagMember),
		AddKey:  p.flags.String(flagAddKey),
		DryRun:  p.flags.Bool(flagDryRun),
	}
	var err error
	job.As, err = p.actor()
	return job, err
}

// actor is a client of who acts; nil if it has to be the user itself, because
// nobody was named and there is no superuser here.
func (p *preparation) actor() (*chef.Client, error) {
	user, file := p.flags.String(flagUser), p.flags.String(flagKey)
	named := user != "" || file != ""
	if user != "" && user != superuser && file == "" {
		return nil, unusable(p.command, "--%s %s needs the private key of %s: --%s FILE", flagUser, user, user, flagKey)
	}
	p.user, p.key = cmp.Or(user, superuser), cmp.Or(file, p.app.SuperuserKey, superuserKey)
	key, err := chef.ReadKey(p.key)
	switch {
	case err == nil:
		return p.client(p.user, key)
	case errors.Is(err, fs.ErrNotExist) && !named:
		p.print.warn("", "there is no key of the superuser at %s: %s looks itself, and can do little", p.key, p.server.User)
		p.user, p.key = "", ""
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fail(ExitUsage, "sudo "+p.again(), "prepare-org: %w", err)
	}
	return nil, fail(ExitUsage, p.again()+" --"+flagUser+" NAME --"+flagKey+" FILE", "prepare-org: %w", err)
}

// client makes a client of the organization.
func (p *preparation) client(user string, key *rsa.PrivateKey) (*chef.Client, error) {
	c, err := chef.New(chef.Options{
		URL: p.server.URL, User: user, Key: key, TLS: chef.TLSOptions(p.server.TLS), Header: p.server.Header,
		Parallel: p.set.cfg.Parallel, Backoff: backoff,
	})
	if err != nil {
		return nil, fail(ExitUsage, "$EDITOR "+p.set.file, "prepare-org: %w", err)
	}
	if p.server.HasOrganizations {
		return c.WithOrganization(p.org), nil
	}
	return c, nil
}

// same is the command line again, as whoever was named.
func (p *preparation) same() string {
	out := p.again()
	for _, flag := range []string{flagUser, flagKey} {
		if v := p.flags.String(flag); v != "" {
			out += " --" + flag + " " + v
		}
	}
	return out
}

// again is the command line without who acts.
func (p *preparation) again() string {
	out := program + " prepare-org " + p.org
	if p.flags.String(flagSide) != "" {
		out += " --" + flagSide + " " + p.side
	}
	return out
}

// undone explains a step that could not be done.
func (p *preparation) undone(ctx context.Context, err error) error {
	var f *failure
	if errors.As(err, &f) {
		return err
	}
	if ctx.Err() != nil {
		return fail(ExitNotDone, p.same(), "prepare-org: interrupted; what was done stays, and the same command goes on")
	}
	var e *prepare.Error
	if !errors.As(err, &e) {
		return fail(ExitNotDone, "", "prepare-org: %w", err)
	}
	try := p.tries(e.Try)
	text := e.Error()
	if hint := chef.Hint(e.Err); hint != "" && len(try) == 0 {
		text += " (" + hint + ")"
	}
	if len(try) == 0 {
		try = []string{"curl " + p.server.URL + "/_status", p.same()}
	}
	if errors.Is(err, chef.ErrTLS) {
		try = []string{"$EDITOR " + p.set.file + fmt.Sprintf("    # %s_tls['ca_file'], or the name in the certificate as the URL", p.setting())}
	}
	return fail(ExitNotDone, strings.Join(try, "\n"), "prepare-org: %s", text)
}

// setting is the word of chef-sync.rb for the side.
func (p *preparation) setting() string {
	if p.side == sidePrimary {
		return "master"
	}
	return sideReplica
}

// tries are the commands for what a step suggests.
func (p *preparation) tries(suggested []string) []string {
	var out []string
	for _, s := range suggested {
		switch s {
		case prepare.TryAdmin:
			if p.user != superuser {
				out = append(out, p.again()+" --"+flagUser+" "+superuser+" --"+flagKey+" "+superuserKey+"    # as root on "+p.server.URL)
			}
			out = append(out, p.again()+" --"+flagUser+" NAME --"+flagKey+" FILE    # an admin of "+p.org)
		case prepare.TryAddKey:
			out = append(out, p.same()+" --"+flagAddKey+" chef-sync-"+p.side)
		case prepare.TryMendKey:
			out = append(out, mendKey(p.server.KeyFile, p.set.file), p.same())
		case prepare.TryCopyKey:
			out = append(out, "scp -p OTHERHOST:"+p.server.KeyFile+" "+p.server.KeyFile)
		}
	}
	return out
}
