package ctl

import (
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/config"
)

const (
	flagChanged = "changed"
	flagRuby    = "ruby"
)

func (a *App) showConfigCommand() *cli.Command {
	return &cli.Command{
		Name:  "show-config",
		Usage: "print every setting that counts, and where it comes from",
		Description: `Reads the configuration as ec-syncd does, and prints each setting with its value
and with what said so: a line of the file, a variable of the environment, an
option, another setting, or nobody, which is the default. Below stand the settings of each
pair, and remarks on settings that have no effect. Nothing is connected to,
and no key is opened but those of Temporal.

   ` + program + ` show-config
   ` + program + ` show-config --changed
   ` + program + ` show-config --output json | jq -r '.settings[] | select(.name == "poll_interval") | .value'
   ` + program + ` show-config --ruby >chef-sync.rb.full

Header values, the addresses of databases and webhooks, and what may be secret in the
URL of the staging store are hidden.

A file with problems is shown as far as it was understood, with all problems, and
the exit code is then 1. It is 2 if there is no file.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: flagChanged, DisableDefaultText: true, Usage: "only what differs from the defaults"},
			&cli.BoolFlag{Name: flagRuby, DisableDefaultText: true, Usage: "print a whole chef-sync.rb instead, with a comment for each setting; what is hidden has to be put in"},
		},
		Action: a.showConfig,
	}
}

// shownConfig is the answer of show-config.
type shownConfig struct {
	File     string         `json:"file"`
	FileFrom string         `json:"file_from"` // what names it: --config, CHEF_SYNC_CONFIG, default
	Role     string         `json:"role"`      // "" if it was not understood
	Settings []shownSetting `json:"settings"`
	Pairs    []shownPair    `json:"pairs"`
	Notices  []shownNotice  `json:"notices"`
	Problems []shownProblem `json:"problems"`
}

// shownNotice is a remark on a setting.
type shownNotice struct {
	Line    int    `json:"line"` // 0: the file as a whole
	Setting string `json:"setting"`
	Message string `json:"message"`
}

// shownProblem is something that is wrong with the file.
type shownProblem struct {
	Line    int    `json:"line"` // 0: the file as a whole
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`

	text string // all of it
}

// shownSetting is one setting.
type shownSetting struct {
	Name    string `json:"name"`
	Value   any    `json:"value"` // null if it was not understood, or is missing
	Default any    `json:"default"`

	// From is default, file, setting, environment, profile or option; Line and Via
	// say which.
	From string `json:"from"`
	Line int    `json:"line,omitempty"`
	Via  string `json:"via,omitempty"`

	Changed bool `json:"changed"`

	literal string
}

// shownPair is a pair with the settings that count for it.
type shownPair struct {
	Source      string         `json:"source"`
	Destination string         `json:"destination"`
	Settings    []shownSetting `json:"settings"`
}

func (a *App) showConfig(c *cli.Context) error {
	if c.Args().Present() {
		return unusable("show-config", "show-config takes no argument, and got %q", c.Args().First())
	}
	p, err := a.printer(c)
	if err != nil {
		return err
	}
	f := settingsFlags{
		file: c.String(flagConfig), replica: c.String(flagReplica), address: c.String(flagAddress), namespace: c.String(flagNamespace),
	}
	file, from := a.configFile(f)
	cfg, problems, err := config.Inspect(file)
	if err != nil {
		return configFailure(file, err)
	}
	if c.Bool(flagRuby) {
		return showRuby(p, cfg, problems)
	}
	s := shownConfig{
		File: cfg.File, FileFrom: from, Role: string(cfg.Role), Pairs: []shownPair{}, Notices: []shownNotice{}, Problems: []shownProblem{},
	}
	for _, n := range cfg.Notices {
		s.Notices = append(s.Notices, shownNotice{n.Line, n.Setting, n.Message})
	}
	for _, one := range problems {
		s.Problems = append(s.Problems, shownProblem{one.Line, one.Column, one.Message, one.Hint, one.String()})
	}
	if from == "" {
		s.FileFrom = string(config.FromDefault)
	}
	over := a.overrides(cfg, f)
	if over.err != nil {
		s.Problems = append(s.Problems, shownProblem{Message: over.err.Error(), text: over.err.Error()})
	}
	s.Settings = shownSettings(cfg.Effective(), over, c.Bool(flagChanged))
	for _, pair := range cfg.Pairs {
		s.Pairs = append(s.Pairs, shownPair{pair.Source, pair.Destination, shownSettings(cfg.EffectiveOf(pair), overrides{}, c.Bool(flagChanged))})
	}
	return s.show(p)
}

// showRuby prints a whole chef-sync.rb.
func showRuby(p *printer, cfg *config.Config, problems config.Problems) error {
	if len(problems) > 0 {
		return configFailure(cfg.File, problems)
	}
	if p.json {
		return unusable("show-config", "--%s is no table that could be json", flagRuby)
	}
	_, err := p.out.Write([]byte(cfg.Ruby()))
	return err
}

// shownSettings are settings with what overrides them.
func shownSettings(all []config.Effective, over overrides, changedOnly bool) []shownSetting {
	out := []shownSetting{}
	for _, e := range all {
		s := shownSetting{
			Name: e.Name, Value: e.Value, Default: e.DefaultValue, From: string(e.Source), Line: e.Line, Via: e.Via,
			Changed: e.Changed, literal: e.Literal,
		}
		if o, ok := over.of[e.Name]; ok {
			s.Value, s.literal, s.From, s.Via, s.Line = o.value, "'"+o.value+"'", o.from, o.via, 0
			s.Changed = !o.unchanged && s.literal != e.Default
		}
		if s.Changed || !changedOnly {
			out = append(out, s)
		}
	}
	return out
}

// show prints the answer. It returns errLook if there are problems.
func (s shownConfig) show(p *printer) error {
	if p.json {
		if err := p.document(s); err != nil {
			return err
		}
	} else {
		s.table(p)
	}
	if len(s.Problems) > 0 {
		return errLook
	}
	return nil
}

// said is where a value comes from, in the words of the table.
func (s shownSetting) said(file string) string {
	base := file[strings.LastIndex(file, "/")+1:]
	switch {
	case s.Line > 0 && s.Via != "":
		return base + ":" + strconv.Itoa(s.Line) + ", as " + s.Via
	case s.Line > 0:
		return base + ":" + strconv.Itoa(s.Line)
	case s.Via != "":
		return s.Via
	default:
		return s.From
	}
}

// shown is the value in the table.
func (s shownSetting) shown() string {
	switch {
	case s.literal == "" && s.Line > 0:
		return "(not understood)"
	case s.literal == "":
		return "(missing)"
	}
	if pairs, ok := s.Value.([]any); ok && s.Name == "organizations" && len(pairs) > 0 {
		return count(len(pairs), "pair") + ", see below"
	}
	return s.literal
}
