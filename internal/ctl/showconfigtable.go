package ctl

import (
	"fmt"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/connect"
)

// overrides are settings that something but the file decides, by name.
type overrides struct {
	of  map[string]override
	err error // Temporal could not be found
}

// override is a value and what says so.
type override struct {
	value, from, via string
	unchanged        bool // it is what an empty file means, in other words
}

// The sources of values that package config does not know.
const (
	fromEnvironment = "environment"
	fromProfile     = "profile"
	fromOption      = "option"
)

// temporalEnv are the variables of Temporal that stand for settings.
// Source: https://docs.temporal.io/develop/environment-configuration
var temporalEnv = map[string]string{
	"temporal['address']":            "TEMPORAL_ADDRESS",
	"temporal['namespace']":          "TEMPORAL_NAMESPACE",
	"temporal['profile']":            "TEMPORAL_PROFILE",
	"temporal['tls']['ca_file']":     "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
	"temporal['tls']['client_cert']": "TEMPORAL_TLS_CLIENT_CERT_PATH",
	"temporal['tls']['client_key']":  "TEMPORAL_TLS_CLIENT_KEY_PATH",
	"temporal['tls']['server_name']": "TEMPORAL_TLS_SERVER_NAME",
	"temporal['tls']['insecure']":    "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION",
}

// overrides asks what ec-syncd and this command would ask: options, and how
// Temporal is found.
func (a *App) overrides(cfg *config.Config, f settingsFlags) overrides {
	out := overrides{of: map[string]override{}}
	found, err := connect.Temporal(cfg, a.Env)
	if out.err = err; err == nil {
		a.temporalOverrides(cfg, found, out.of)
	}
	for name, o := range map[string]override{
		"name":                  {value: f.replica, from: fromOption, via: "--" + flagReplica},
		"temporal['address']":   {value: f.address, from: fromOption, via: "--" + flagAddress},
		"temporal['namespace']": {value: f.namespace, from: fromOption, via: "--" + flagNamespace},
	} {
		if o.value != "" {
			out.of[name] = o
		}
	}
	return out
}

// temporalOverrides are how Temporal is reached.
func (a *App) temporalOverrides(cfg *config.Config, found connect.TemporalTarget, of map[string]override) {
	const address, namespace = "temporal['address']", "temporal['namespace']"
	if found.Embedded {
		value := found.Options.HostPort
		if cfg.Temporal.Port == 0 {
			value = "127.0.0.1:any"
		}
		of[address] = override{value, string(config.FromSetting), "temporal['port'], inside ec-syncd", cfg.Temporal.Port == config.Defaults().Temporal.Port}
		return
	}
	inFile := map[string]bool{}
	for _, e := range cfg.Effective() {
		inFile[e.Name] = e.Source == config.FromFile && e.Value != ""
	}
	for name, variable := range temporalEnv {
		if v, ok := a.Env.LookupEnv(variable); ok && v != "" && !inFile[name] {
			of[name] = override{value: v, from: fromEnvironment, via: variable}
		}
	}
	if v, ok := a.Env.LookupEnv("TEMPORAL_API_KEY"); ok && v != "" && !inFile["temporal['api_key_file']"] {
		of["temporal['api_key_file']"] = override{value: "(hidden)", from: fromEnvironment, via: "TEMPORAL_API_KEY"}
	}
	for name, value := range map[string]string{address: found.Options.HostPort, namespace: found.Options.Namespace} {
		if _, said := of[name]; !said && !inFile[name] && value != config.Defaults().Temporal.Namespace {
			of[name] = override{value: value, from: fromProfile, via: a.profile(cfg)}
		}
	}
}

// profile names the Temporal profile that counts.
func (a *App) profile(cfg *config.Config) string {
	file := "the Temporal configuration file"
	if v, ok := a.Env.LookupEnv("TEMPORAL_CONFIG_FILE"); ok && v != "" {
		file = v
	}
	name := cfg.Temporal.Profile
	if v, ok := a.Env.LookupEnv("TEMPORAL_PROFILE"); name == "" && ok {
		name = v
	}
	if name == "" {
		name = "default"
	}
	return "profile " + name + " of " + file
}

// table prints the answer for people.
func (s shownConfig) table(p *printer) {
	head := s.File
	if s.FileFrom != string(config.FromDefault) {
		head += " (named by " + s.FileFrom + ")"
	}
	if s.Role != "" {
		head += ", role :" + s.Role
	}
	fmt.Fprintln(p.out, cell(head)+"\n")
	s.rows(p, s.Settings)
	for _, pair := range s.Pairs {
		name := pair.Destination
		if pair.Source != pair.Destination {
			name = pair.Source + " -> " + name
		}
		fmt.Fprintln(p.out, "\n"+cell(name)+"\n")
		s.rows(p, pair.Settings)
	}
	if len(s.Notices) > 0 {
		fmt.Fprintln(p.out)
	}
	for _, n := range s.Notices {
		fmt.Fprintln(p.out, "notice: "+cell(config.Notice(n).String()))
	}
	if len(s.Problems) == 0 {
		return
	}
	fmt.Fprintf(p.err, "error: the configuration has %s:\n", count(len(s.Problems), "problem"))
	for _, one := range s.Problems {
		fmt.Fprintln(p.err, clean(one.text))
	}
	tryLines(p.err, "$EDITOR "+s.File)
}

// rows prints settings.
func (s shownConfig) rows(p *printer, settings []shownSetting) {
	if len(settings) == 0 {
		fmt.Fprintln(p.out, "as by default")
		return
	}
	var rows [][]string
	for _, one := range settings {
		rows = append(rows, []string{one.Name, cell(one.shown()), cell(one.said(s.File))})
	}
	p.rows([]string{"SETTING", "VALUE", "FROM"}, rows)
}
