package ctl

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/logfile"
)

func (a *App) managerLogCommand() *cli.Command {
	return &cli.Command{
		Name:  "manager-log",
		Usage: "print the log of ec-syncd itself",
		Description: `Prints the end of ec-syncd.log on the host that runs ec-syncd: what is of no
organization, and the warnings of all. On a primary it is the log of the feed server;
where both run, --feed chooses that. Times are UTC.

   ` + program + ` manager-log -n 100
   ` + program + ` manager-log -f --level warn
   ` + program + ` manager-log --feed --since 1h`,
		Flags: append(logFlags(),
			&cli.BoolFlag{Name: flagFeed, DisableDefaultText: true, Usage: "the log of the feed server, of a host with role :master_and_replica"}),
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return unusable("manager-log", "manager-log takes no arguments, and got %s", c.Args().First())
			}
			k, f, err := a.begin(c)
			if k == nil || err != nil && (k.set.file == "" || !k.set.cfg.Serves()) {
				return noLogConfig(err, program+" --config FILE manager-log\njournalctl -u ec-syncd") // a primary has a log, too
			}
			return k.managerLog(c.Context, f, c.Bool(flagFeed))
		},
	}
}

// managerLog prints the log of ec-syncd, or of the feed server.
func (k *call) managerLog(ctx context.Context, f settingsFlags, feed bool) error {
	cfg := k.set.cfg
	s := shownLog{dir: cfg.LogDirectory, file: logfile.Manager, setting: "ec_sync_client['log_directory']", flags: f}
	switch {
	case k.set.file == "":
		return fail(ExitUsage, program+" --config FILE manager-log\njournalctl -u ec-syncd", "manager-log: without a configuration it is not known where the logs are")
	case feed && !cfg.Serves():
		return fail(ExitUsage, program+" manager-log\nssh PRIMARY "+program+" manager-log",
			"manager-log --feed belongs on a primary: this host has role :%s in %s and runs no feed server", cfg.Role, k.set.file)
	case feed || cfg.Role == config.RoleMaster || !cfg.Replicates():
		s.dir, s.setting = cfg.Server.LogDirectory, "ec_sync_server['log_directory']"
	}
	return k.showLog(ctx, s)
}
