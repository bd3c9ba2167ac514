package ctl

import (
	"context"
	"errors"
	"strings"

	"github.com/urfave/cli/v2"
)

const (
	program = "chef-sync-ctl"

	// envConfig names the configuration file.
	envConfig = "CHEF_SYNC_CONFIG"
)

// The names of the global flags.
const (
	flagConfig    = "config"
	flagReplica   = "replica"
	flagAddress   = "address"
	flagNamespace = "namespace"
	flagOutput    = "output"
	flagNoColor   = "no-color"
)

// Run runs one command and returns the exit code. args begin with the name of
// the program. It returns when the command is done or ctx ends.
func (a *App) Run(ctx context.Context, args []string) int {
	if len(args) > 1 && args[1] == completeWord {
		return a.complete(args[2:])
	}
	out := &checkedWriter{to: a.Stdout}
	checked := *a
	checked.Stdout = out
	a = &checked
	app := a.cli()
	var g given
	command := ""
	app.Before = func(c *cli.Context) error {
		g, command = givenIn(c), c.Args().First()
		return nil
	}
	err := app.RunContext(ctx, arrange(app, args))
	if out.err != nil && (err == nil || errors.Is(err, errLook)) {
		err = unwritten(command, out.err)
	}
	return report(a.Stderr, g, err)
}

// cli is the command line. Every run makes a new one, as the library keeps state
// in it.
func (a *App) cli() *cli.App {
	app := &cli.App{
		Name:            program,
		HelpName:        program,
		Usage:           "watch and steer chef-sync on a replica",
		UsageText:       program + " [global options] COMMAND [options] [ORG]",
		Description:     appHelp,
		Version:         a.Version.String(),
		HideHelpCommand: true,
		Reader:          a.Stdin,
		Writer:          a.Stdout,
		ErrWriter:       a.Stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // Run reports
		OnUsageError:    usageError,
		Flags:           globalFlags(a.DefaultConfig),
		Action:          noCommand,
		Commands: []*cli.Command{
			a.statusCommand(), a.unsyncedCommand(), a.diffCommand(),
			a.verifyCommand(),
			a.startCommand(), a.stopCommand(), a.syncNowCommand(), a.syncOnceCommand(),
			a.approveCommand(), a.dropCommand(), a.forgetCommand(), a.removeCommand(),
			a.reconfigureCommand(), a.prepareOrgCommand(), a.doctorCommand(), a.showConfigCommand(), a.completionCommand(), a.versionCommand(),
			a.syncLogCommand(), a.managerLogCommand(), a.codecServerCommand(),
		},
	}
	for _, c := range app.Commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
		c.CustomHelpTemplate = commandHelp
	}
	return app
}

func globalFlags(defaultConfig string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: flagConfig, Aliases: []string{"c"}, Usage: "read the configuration from `FILE` (default: $" + envConfig + ", else " + defaultConfig + ")"},
		&cli.StringFlag{Name: flagReplica, Usage: "steer the replica called `NAME` (default: the setting name); with --address no configuration is needed, and ORG is the destination"},
		&cli.StringFlag{Name: flagAddress, Usage: "reach Temporal at `HOST:PORT` (default: the configuration, else TEMPORAL_ADDRESS or the Temporal profile, else the server inside ec-syncd), with the TLS and API key that the configuration or TEMPORAL_… name"},
		&cli.StringFlag{Name: flagNamespace, Usage: "use the Temporal namespace `NAME` (default: as for --address)"},
		&cli.StringFlag{Name: flagOutput, Aliases: []string{"o"}, Value: outputTable, Usage: "print a table or json, `FORMAT`"},
		&cli.BoolFlag{Name: flagNoColor, DisableDefaultText: true, Usage: "print no colours; there are none either without a terminal, or with NO_COLOR set"},
	}
}

// appHelp is the text of --help.
const appHelp = `A pair is an organization on the primary and the one on this replica that is kept
equal to it. Each command that takes ORG means the pair that writes ORG, or else
the one that reads it. Options may stand before and after ORG.

How is everything?              ` + program + ` sync-status
What could not be copied, why?  ` + program + ` unsynced-objects acme
What has it done, what failed?  ` + program + ` sync-log acme -n 100
Where do the servers differ?    ` + program + ` diff acme
Prove that they are equal       ` + program + ` verify acme
Begin, or go on                 ` + program + ` sync-start acme
Copy once, and prove it         ` + program + ` sync-once acme
Stop writing to the replica     ` + program + ` sync-stop acme --reason 'restoring a backup'
What is wrong, what helps?      ` + program + ` doctor
What says ec-syncd itself?      ` + program + ` manager-log -n 100
Set up this host                ` + program + ` reconfigure --dry-run
Make the user that replicates   ` + program + ` prepare-org acme
What counts, and who said so?   ` + program + ` show-config --changed
For scripts                     ` + program + ` sync-status --output json
More on a command               ` + program + ` sync-status --help

Exit codes:

` + exitCodes

// commandHelp is the help of a command.
const commandHelp = `NAME:
   {{.HelpName}} - {{.Usage}}

USAGE:
   {{.HelpName}} [options]{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}

DESCRIPTION:
   {{wrap .Description 3}}

OPTIONS:{{range .VisibleFlags}}
   {{.}}{{end}}

Options for every command, and exit codes: ` + program + ` --help
`

// usageError is what the library found wrong with the command line.
func usageError(c *cli.Context, err error, _ bool) error {
	return unusable(commandName(c), "%w", err)
}

// commandName is the command of c; "" for none.
func commandName(c *cli.Context) string {
	if c.Command == nil || c.Command.Name == program {
		return ""
	}
	return c.Command.Name
}

// noCommand runs when no command was named, or one that there is not.
func noCommand(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	name := c.Args().First()
	if name == "help" {
		return helpFor(c, c.Args().Get(1))
	}
	var names []string
	for _, known := range c.App.Commands {
		names = append(names, known.Name)
	}
	return unusable("", "there is no command %q; there are %s", name, strings.Join(names, ", "))
}

// helpFor is help COMMAND.
func helpFor(c *cli.Context, command string) error {
	if command == "" {
		return cli.ShowAppHelp(c)
	}
	if c.App.Command(command) == nil {
		return unusable("", "there is no command %q", command)
	}
	return cli.ShowCommandHelp(c, command)
}
