package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/logfile"
	"github.com/chef-sync/chef-sync/workflows"
)

// The flags of sync-log and manager-log.
const (
	flagLines   = "lines"
	flagFollow  = "follow"
	flagLevel   = "level"
	flagSince   = "since"
	flagHistory = "history"
	flagRuns    = "runs"
	flagFeed    = "feed"
)

// followEvery is how often a log that is followed is looked at.
const followEvery = 500 * time.Millisecond

// logFlags are those that choose lines.
func logFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: flagLines, Aliases: []string{"n"}, Value: 20, Usage: "print the last `N` lines, of rotated files too"},
		&cli.BoolFlag{Name: flagFollow, Aliases: []string{"f"}, DisableDefaultText: true, Usage: "then print what is added, until interrupted"},
		&cli.StringFlag{Name: flagLevel, Value: "info", Usage: "leave out what is below `LEVEL`: debug, info, warn, error"},
		&cli.StringFlag{Name: flagSince, Usage: "leave out what is older than `TIME`: 90m, 24h, or 2026-11-23T12:00:00Z"},
	}
}

func (a *App) syncLogCommand() *cli.Command {
	return &cli.Command{
		Name:      "sync-log",
		Usage:     "print the log of a pair",
		ArgsUsage: "ORG",
		Description: `Prints the end of sync-ORG.log in ec_sync_client['log_directory'] on the host that
runs ec-syncd: what was done, what failed and why. Times are UTC. In JSON, each line
is as it is in the file.

   ` + program + ` sync-log acme -n 100
   ` + program + ` sync-log acme -f --level warn
   ` + program + ` sync-log acme --since 1h --output json | jq -r .msg

From any host, --history reads instead what Temporal keeps of the pair: pages of
changes, what was fetched and applied, signals with their reason, failures. That is
of the present run of its workflow; --runs also of those before it, which Temporal
keeps for as long as the retention of the namespace.

   ` + program + ` sync-log acme --history
   ` + program + ` sync-log acme --history --runs 3 -n 200 --level warn`,
		Flags: append(logFlags(),
			&cli.BoolFlag{Name: flagHistory, DisableDefaultText: true, Usage: "read the workflow's history from Temporal, not the file"},
			&cli.IntFlag{Name: flagRuns, Value: 1, Usage: "with --history, of the last `N` runs of the workflow"},
		),
		Action: func(c *cli.Context) error {
			if c.Bool(flagHistory) {
				if c.Bool(flagFollow) {
					return unusable("sync-log", "sync-log: a history cannot be followed; leave out --%s, or --%s", flagFollow, flagHistory)
				}
				return a.onPair(showHistory)(c)
			}
			if c.NArg() != 1 {
				return unusable("sync-log", "sync-log takes the name of one organization, and got %d", c.NArg())
			}
			k, f, err := a.begin(c)
			if err != nil {
				return noLogConfig(err, logsElsewhere(c.Args().First(), "HOST:PORT", "NAME"))
			}
			return k.syncLog(c.Context, f, c.Args().First())
		},
	}
}

// logsElsewhere is what helps where no configuration says where the logs are.
func logsElsewhere(org, address, replica string) string {
	return program + " --config FILE sync-log " + org + "\n" +
		program + " --address " + address + " --replica " + replica + " sync-log " + org + " --" + flagHistory
}

// noLogConfig has the failure of a configuration that cannot be read tell how to see logs
// without; any other stays as it is.
func noLogConfig(err error, hint string) error {
	var f *failure
	if !errors.As(err, &f) || !strings.HasSuffix(f.hint, withoutConfig) {
		return err
	}
	return fail(f.code, strings.TrimSuffix(f.hint, withoutConfig)+hint, "%w", f.err)
}

// syncLog prints the log of an organization of the configuration, or of one that was.
func (k *call) syncLog(ctx context.Context, f settingsFlags, org string) error {
	if k.set.file == "" {
		return fail(ExitUsage, logsElsewhere(org, f.address, f.replica),
			"sync-log: without a configuration it is not known where the logs are")
	}
	if p, ok := k.set.cfg.Pair(org); ok {
		org = p.Destination
	} else if files, _ := logfile.Files(filepath.Join(k.set.cfg.LogDirectory, logfile.Organization(org))); len(files) == 0 {
		return k.unknown(org)
	}
	return k.showLog(ctx, shownLog{
		dir: k.set.cfg.LogDirectory, file: logfile.Organization(org), of: org, setting: "ec_sync_client['log_directory']", flags: f,
	})
}

// shownLog is a log to be printed.
type shownLog struct {
	dir, file string
	of        string // the organization; "" for ec-syncd itself
	setting   string // what names dir
	flags     settingsFlags
}

// filter is what the flags say about lines.
func (k *call) filter() (n int, f logfile.Filter, err error) {
	if n = k.flags.Int(flagLines); n < 0 {
		return 0, f, unusable(k.command, "--%s %d: a number of lines, from 0 on", flagLines, n)
	}
	if level := k.flags.String(flagLevel); f.Level.UnmarshalText([]byte(level)) != nil {
		return 0, f, unusable(k.command, "--%s %s: use debug, info, warn or error", flagLevel, level)
	}
	since := k.flags.String(flagSince)
	if since == "" {
		return n, f, nil
	}
	if d, err := time.ParseDuration(since); err == nil && d > 0 {
		f.Since = k.app.Now().Add(-d)
	} else if f.Since, err = time.Parse(time.RFC3339, since); err != nil {
		return 0, f, unusable(k.command, "--%s %s: use a duration as 90m or 24h, or a time as 2026-11-23T12:00:00Z", flagSince, since)
	}
	return n, f, nil
}

// showLog prints the end of a log, and follows it if that was asked for.
func (k *call) showLog(ctx context.Context, s shownLog) error {
	n, filter, err := k.filter()
	if err != nil {
		return err
	}
	if s.dir == "" {
		return fail(ExitNotDone, "journalctl -u ec-syncd\n$EDITOR "+k.set.file,
			"%s: %s is '' in %s: ec-syncd writes no files", k.command, s.setting, k.set.file)
	}
	path := filepath.Join(s.dir, s.file)
	lines, tail, err := logfile.Last(path, n, filter)
	follow := k.flags.Bool(flagFollow)
	if _, none := logfile.Files(path); follow && none == nil && errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(k.print.err, "%s is not there yet\n", clean(path))
		tail, err = logfile.NewTail(path), nil
	}
	if err != nil {
		return k.noLog(ctx, s, path, err)
	}
	defer func() { _ = tail.Close() }() // it was only read
	k.print.logLines(lines, s.of)
	for follow {
		if err := k.app.Sleep(ctx, followEvery); err != nil {
			return nil // interrupted, which is how this ends
		}
		more, err := tail.New()
		if err != nil {
			return fail(ExitNotDone, "ls -l "+s.dir, "%s: read %s: %w", k.command, path, err)
		}
		for _, l := range more {
			if filter.Has(l) {
				k.print.logLines([]logfile.Line{l}, s.of)
			}
		}
	}
	return nil
}

// noLog says why a log cannot be read, and where it may be.
func (k *call) noLog(ctx context.Context, s shownLog, path string, err error) error {
	again := strings.TrimSpace(program + " " + k.command + " " + s.of)
	if !errors.Is(err, fs.ErrNotExist) {
		return fail(ExitNotDone, "sudo "+again, "%s: %w", k.command, err)
	}
	history := ""
	if s.of != "" {
		history = "\n" + again + " --" + flagHistory
	}
	if s.file == logfile.Manager && !k.set.cfg.Replicates() { // a primary is asked for by name
		return fail(ExitNotDone, "systemctl status ec-syncd\n"+"ec-syncd --config "+k.set.file,
			"%s: %s is not there: the feed server has never run with %s", k.command, path, k.set.file)
	}
	hosts, seen, err := k.workerHosts(ctx, s.flags)
	switch {
	case err != nil:
		return fail(ExitUnreachable, "systemctl status ec-syncd\n"+k.target.Daemon,
			"%s: %s is not there, and which host runs ec-syncd is not known: %w", k.command, path, err)
	case !seen:
		_, hint := worker{known: true, daemon: k.target.Daemon}.trouble()
		return fail(ExitNotDone, hint+history, "%s: %s is not there, and no ec-syncd is polling task queue %s",
			k.command, path, workflows.TaskQueue(k.set.replica))
	case len(hosts) > 0:
		return fail(ExitNotDone, "ssh "+hosts[0]+" "+again+history,
			"%s: %s is not there: the ec-syncd of replica %s runs on %s, and so are its logs", k.command, path, k.set.replica, strings.Join(hosts, ", "))
	default:
		return fail(ExitNotDone, program+" sync-status"+history,
			"%s: %s is not there: ec-syncd runs on this host and has logged nothing there yet", k.command, path)
	}
}

// workerHosts asks Temporal for the hosts, other than this one, of the workers of the
// replica. seen is whether there is a worker at all.
func (k *call) workerHosts(ctx context.Context, f settingsFlags) (hosts []string, seen bool, err error) {
	if k.target, err = k.app.target(k.set, f); err != nil {
		return nil, false, err
	}
	t, err := k.app.Connect(ctx, k.target)
	if err != nil {
		return nil, false, k.failed("connect", err)
	}
	defer t.Close()
	pollers, err := t.Pollers(ctx, workflows.TaskQueue(k.set.replica))
	if err != nil {
		return nil, false, k.failed("ask for workers", err)
	}
	here := false
	for _, p := range pollers {
		// The SDK's is PID@HOST@, ours has words before it.
		_, host, _ := strings.Cut(strings.TrimSuffix(p.Identity, "@"), "@")
		switch {
		case k.app.Now().Sub(p.Seen) >= pollerFresh:
			continue
		case host == "" || host == k.app.Host:
			here = true
		default:
			hosts = append(hosts, host)
		}
		seen = true
	}
	if here {
		return nil, true, nil
	}
	return hosts, seen, nil
}
