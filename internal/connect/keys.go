package connect

import (
	"os"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/config"
)

// KeyProblem is a key file with which no request can be signed.
type KeyProblem struct {
	Side    string // master or replica; the first of both if they share the file
	Setting string // what names the file
	File    string
	Err     error
	Fix     string // a command
}

// KeyProblems reads the keys of both servers and says what is wrong with them. Pairs wait
// meanwhile, and see by themselves that a key has been mended.
func KeyProblems(cfg *config.Config) []KeyProblem {
	var out []KeyProblem
	for _, side := range []struct {
		name   string
		server config.Server
	}{{"master", cfg.Primary}, {"replica", cfg.Replica}} {
		file := side.server.KeyFile
		_, err := chef.ReadKey(file)
		if err == nil || len(out) > 0 && out[0].File == file {
			continue
		}
		p := KeyProblem{Side: side.name, Setting: side.name + "_key", File: file, Err: err, Fix: "chef-sync-ctl doctor"}
		if !cfg.IsSet(p.Setting) {
			p.Setting = "ec_sync_client['sync_key']"
		}
		if cfg.File != "" && cfg.File != config.DefaultFile {
			p.Fix = "chef-sync-ctl --config " + cfg.File + " doctor"
		}
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			p.Fix = "chmod 600 " + file
		}
		out = append(out, p)
	}
	return out
}
