package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.temporal.io/api/serviceerror"
)

// The exit codes of chef-sync-ctl. Scripts and monitoring rely on them: they
// are never given another meaning.
const (
	ExitOK          = 0 // what was asked for is done, and nothing needs a person
	ExitLook        = 1 // answered, and there is something to look at
	ExitUsage       = 2 // the command line or the configuration is wrong; nothing was done
	ExitUnreachable = 3 // Temporal, or the ec-syncd that has to answer, cannot be reached
	ExitNotDone     = 4 // not done, or not known to be done

	// ExitUnknown is of commands that compare: whether the servers are equal could
	// not be told, whatever the reason. They give no code above it.
	ExitUnknown = 2
)

// exitCodes is the part of --help about them.
const exitCodes = `0  what was asked for is done, and nothing needs a person
1  answered, and there is something to look at: unsynced objects, or a pair that
   is halted, waiting, not answering, or configured and not running; a check of
   doctor that failed, a right that is missing, a configuration with problems
2  the command line or the configuration is wrong, or the command belongs on
   another host; nothing was done
3  Temporal, or the ec-syncd that has to answer, cannot be reached
4  not done, or not known to be done: the pair does not run, has nothing to
   decide, did not stop in time, or you said no

Those of diff, verify and sync-once, as of diff(1): 0 equal, 1 different,
2 it could not be told.`

// A failure is an error with its exit code and the command that helps.
type failure struct {
	code int
	err  error
	hint string // lines of commands; "" if there is none
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail makes a failure of a message.
func fail(code int, hint, format string, args ...any) error {
	return &failure{code: code, hint: hint, err: fmt.Errorf(format, args...)}
}

// errLook ends a command that has answered, with ExitLook and no further word.
var errLook = errors.New("something to look at")

// report prints an error for people and returns its exit code. The commands that it
// gives mean what the command line says in g.
func report(w io.Writer, g given, err error) int {
	var f *failure
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errLook):
		return ExitLook
	case errors.As(err, &f):
		fmt.Fprintln(w, "error: "+clean(f.Error()))
		tryLines(w, g.on(f.hint))
		return f.code
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "error: interrupted")
		return ExitNotDone
	default:
		fmt.Fprintln(w, "error: "+clean(err.Error()))
		return ExitNotDone
	}
}

// checkedWriter keeps the first error of writing: an answer that nobody got is none.
type checkedWriter struct {
	to  io.Writer
	err error
}

func (w *checkedWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// unwritten is the error of a command whose answer could not be written.
func unwritten(command string, err error) error {
	err = fail(ExitNotDone, "", "the answer could not be written: %w", err)
	switch command {
	case "diff", "verify", "sync-once":
		return couldNotTell(err)
	}
	return err
}

// tryLines prints what helps, one command in each line.
func tryLines(w io.Writer, hint string) {
	for line := range strings.Lines(hint) {
		fmt.Fprintln(w, "  try: "+clean(strings.TrimSpace(line)))
	}
}

// unusable is a command line that cannot be followed.
func unusable(command, format string, args ...any) error {
	return fail(ExitUsage, strings.TrimSpace(program+" "+command)+" --help", format, args...)
}

// temporalFailure explains what Temporal answered to what was tried. It returns
// nil for nil, and a failure as it is.
func (t Target) temporalFailure(tried string, err error) error {
	var (
		f         *failure
		namespace *serviceerror.NamespaceNotFound
		denied    *serviceerror.PermissionDenied
	)
	where := fmt.Sprintf("Temporal at %s (%s), namespace %s", t.Address, t.From, t.Namespace)
	switch {
	case err == nil || errors.As(err, &f) || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &namespace):
		return fail(ExitUsage, "temporal operator namespace list --address "+t.Address+"\n"+program+" --namespace NAME …",
			"%s: %s: there is no such namespace", tried, where)
	case errors.As(err, &denied):
		return fail(ExitUnreachable, "temporal workflow list --address "+t.Address+" --namespace "+t.Namespace,
			"%s: %s refuses: %w; are the API key and certificates of its profile set?", tried, where, err)
	default:
		return fail(ExitUnreachable, t.help(), "%s: %s does not answer: %w", tried, where, err)
	}
}

// help is what an operator does about a Temporal that cannot be reached.
func (t Target) help() string {
	if t.Embedded {
		return "systemctl status ec-syncd    # Temporal runs inside ec-syncd\n" + t.Daemon
	}
	return "temporal operator cluster health --address " + t.Address + "\n" + program + " --address HOST:PORT …"
}
