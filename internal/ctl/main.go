package ctl

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"go.temporal.io/sdk/contrib/envconfig"
	"golang.org/x/term"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/internal/version"
)

// App is chef-sync-ctl with everything of the outside world that it uses. All
// fields are required, except those whose zero value has a meaning.
type App struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// Terminal says which of the three are terminals. A question is asked only on
	// one, colours, progress and the clearing of --watch appear only there.
	Terminal Terminal

	// Columns is the width of the terminal that Stdout is; 0 if that is not known, and
	// nil for never.
	Columns func() int

	// Connect reaches Temporal.
	Connect func(context.Context, Target) (Temporal, error)

	Now func() time.Time

	// Sleep waits for d, or returns the error of ctx if that ends before.
	Sleep func(ctx context.Context, d time.Duration) error

	// Env is the environment: CHEF_SYNC_CONFIG, NO_COLOR and Temporal's own.
	Env envconfig.EnvLookup

	// DefaultConfig is read if no other configuration is named.
	DefaultConfig string

	// SuperuserKey is the private key of a Chef server's superuser, unless another is
	// named; "" is where a Chef server keeps it.
	SuperuserKey string

	// Host is the name of this host, as workers give theirs.
	Host string

	// Identity is who signals workflows, as their history shows it. "" leaves it
	// to the SDK: process and host.
	Identity string

	// Version is that of this program.
	Version version.Info
}

// Terminal says what an operator looks at.
type Terminal struct{ In, Out, Err bool }

// Main runs chef-sync-ctl with the real world and returns the exit code. args
// begin with the name of the program.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &App{
		Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Terminal:      Terminal{In: isTerminal(stdin), Out: isTerminal(stdout), Err: isTerminal(stderr)},
		Columns:       func() int { return columns(stdout) },
		Connect:       Dial,
		Now:           time.Now,
		Sleep:         sleep,
		Env:           envconfig.EnvLookupOS,
		DefaultConfig: config.DefaultFile,
		Identity:      identity(),
		Version:       version.Get(),
	}
	a.Host, _ = os.Hostname() // without it a worker's host is another
	return a.Run(ctx, args)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a file descriptor is small
}

// columns is the width of a terminal; 0 if it does not say.
func columns(stream any) int {
	f, ok := stream.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd())) //nolint:gosec // as above
	if err != nil {
		return 0
	}
	return width
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// identity names the operator in the history of workflows.
func identity() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return fmt.Sprintf("chef-sync-ctl %s@%s", u.Username, host)
}
