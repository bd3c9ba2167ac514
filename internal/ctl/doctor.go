package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/doctor"
)

// The options of doctor.
const (
	flagOnly      = "only"
	flagSetup     = "setup"
	flagRetention = "retention"
)

// leastRetention is Temporal's own.
const leastRetention = time.Hour

func (a *App) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check everything that chef-sync needs, and say what mends it",
		Description: `One line for each check: ok, warn, FAIL or skipped, on which side, what was
looked at, and behind -> what helps. What is skipped because of another check
names it: mend the first FAIL first.

   ` + program + ` doctor
   ` + program + ` doctor --only clock --only rights
   ` + program + ` doctor --output json | jq -r '.checks[] | select(.state == "fail") | .fix'

It looks at the configuration, at keys, at both servers (their version, TLS,
clock, whether the user is believed, and what it may do in each organization), at
the feed, at Temporal and whether an ec-syncd works there, and at the disk; on a
primary with a feed server at the database, the log of changes, and nginx. The
checks are ` + wrapped(doctor.Names()) + `.

Nothing is changed on any server. Each check takes 10 seconds at the most. Run it
as the user of ec-syncd, or as root.

For a Temporal cluster of yours, --setup registers the namespace and adds the
search attributes before the checks. What is there is left as it is, so that it
may be repeated. It says what it did, and what it had no right to, with the
command for somebody who has it; all but the namespace itself can be done without.

   ` + program + ` doctor --setup
   ` + program + ` doctor --setup --retention 2160h --only temporal --only attributes

The exit code is 0 if all is well or there are only warnings, 1 if something
failed.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagSetup, DisableDefaultText: true, Usage: "make the Temporal namespace and its search attributes first"},
			&cli.DurationFlag{Name: flagRetention, DefaultText: "720h for a new namespace, an existing one keeps its own", Usage: "with --setup: have the namespace keep closed workflows for `DURATION`"},
			&cli.StringSliceFlag{Name: flagOnly, Usage: "make only the check called `NAME`; may be repeated"},
		},
		Action: a.doctor,
	}
}

// wrapped joins words to lines as long as those of a help.
func wrapped(words []string) string {
	var b strings.Builder
	line := len("checks are ")
	for i, w := range words {
		if i > 0 {
			b.WriteString(",")
			if line += len(w) + 2; line > 75 {
				b.WriteString("\n")
				line = len(w)
			} else {
				b.WriteString(" ")
			}
		}
		b.WriteString(w)
	}
	return b.String()
}

// doctorAnswer is the answer of doctor.
type doctorAnswer struct {
	Version string               `json:"version"`
	Counts  map[doctor.State]int `json:"counts"`
	Checks  []doctor.Result      `json:"checks"`
}

func (a *App) doctor(c *cli.Context) error {
	if c.Args().Present() {
		return unusable("doctor", "doctor takes no argument, and got %q", c.Args().First())
	}
	p, err := a.printer(c)
	if err != nil {
		return err
	}
	only := c.StringSlice(flagOnly)
	for _, name := range only {
		if !slices.Contains(doctor.Names(), name) {
			return unusable("doctor", "there is no check %q; there are %s", name, strings.Join(doctor.Names(), ", "))
		}
	}
	o := a.doctorOptions(c)
	o.Only = only
	switch keep := c.Duration(flagRetention); {
	case c.IsSet(flagRetention) && !c.Bool(flagSetup):
		return unusable("doctor", "--retention belongs to --setup")
	case c.IsSet(flagRetention) && keep < leastRetention:
		return unusable("doctor", "--retention %s: Temporal keeps closed workflows for %s at least", keep, leastRetention)
	case c.Bool(flagSetup):
		o.Setup = &doctor.Setup{Retention: keep}
	}
	answer := doctorAnswer{Version: a.Version.Version, Counts: map[doctor.State]int{}, Checks: doctor.Run(c.Context, o)}
	if err := c.Context.Err(); err != nil {
		return err
	}
	for _, r := range answer.Checks {
		answer.Counts[r.State]++
	}
	if p.json {
		err = p.document(answer)
	} else {
		err = p.checkup(answer)
	}
	if err == nil && answer.Counts[doctor.Failed] > 0 {
		err = errLook
	}
	return err
}

// doctorOptions are what the settings say. What is wrong with them is for the
// doctor to tell.
func (a *App) doctorOptions(c *cli.Context) doctor.Options {
	f := settingsFlags{
		file: c.String(flagConfig), replica: c.String(flagReplica),
		address: c.String(flagAddress), namespace: c.String(flagNamespace),
	}
	o := doctor.Options{Version: a.Version, Now: a.Now, File: f.file}
	if env, ok := a.Env.LookupEnv(envConfig); o.File == "" && ok {
		o.File = env
	}
	if o.File == "" {
		o.File = a.DefaultConfig
	}
	set, err := a.settings(f)
	if err != nil {
		o.Err = err
		return o
	}
	o.Config, o.File, o.Replica = set.cfg, set.file, set.replica
	t, err := a.target(set, f)
	o.Embedded, o.Daemon, o.Namespace = t.Embedded, t.Daemon, t.Namespace
	o.At = fmt.Sprintf("%s (%s), namespace %s", t.Address, t.From, t.Namespace)
	o.Temporal = func(ctx context.Context) (doctor.Temporal, error) {
		if err != nil {
			return nil, err
		}
		return a.Connect(ctx, t)
	}
	return o
}

// checkup prints what the doctor found, one line for each.
func (p *printer) checkup(a doctorAnswer) error {
	words := map[doctor.State]string{
		doctor.OK: "ok", doctor.Warning: "warn", doctor.Failed: "FAIL", doctor.Skipped: "skipped",
	}
	colors := map[doctor.State]color{doctor.OK: green, doctor.Warning: yellow, doctor.Failed: red, doctor.Skipped: faint}
	var b strings.Builder
	for _, r := range a.Checks {
		on := string(r.Side)
		if r.Organization != "" {
			on += " " + r.Organization
		}
		b.WriteString(p.paint(colors[r.State], fmt.Sprintf("%-7s", words[r.State])))
		fmt.Fprintf(&b, "  %-13s  %-15s  %s", r.Check, cell(on), cell(r.Text))
		if r.Fix != "" {
			b.WriteString(" -> " + cell(p.given.on(r.Fix)))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\n%d ok, %s, %d failed, %d skipped\n",
		a.Counts[doctor.OK], count(a.Counts[doctor.Warning], "warning"), a.Counts[doctor.Failed], a.Counts[doctor.Skipped])
	_, err := fmt.Fprint(p.out, b.String())
	return err
}
