// Bare copies the content of one organization to another, empty one with the
// fewest calls that the Chef API allows, and nothing else: no comparison, no
// retries, no state, no limits on memory. It is the speed that a replicator is
// measured against, so it shares no code with one.
//
// It lists both sides, reads each manifest, object and distinct file once, opens
// a sandbox for every 50 cookbook versions, and writes what the other side lacks.
// What is there already is left alone, equal or not. Any answer but a success
// ends it.
//
// With -verify it writes nothing and reads what a proof of equality cannot do
// without.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

// outcome is what bare prints, as JSON.
type outcome struct {
	Requests int64 `json:"requests"` // to both servers, files included
	Objects  int64 `json:"objects"`  // written, or compared
	Files    int64 `json:"files"`    // written, or read
}

// run is the program.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	var from, to side
	flags := flag.NewFlagSet("bare", flag.ContinueOnError)
	from.flags(flags, "from")
	to.flags(flags, "to")
	parallel := flags.Int("parallel", 8, "what is done at a time")
	verify := flags.Bool("verify", false, "write nothing: read both sides completely and compare")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c := &copier{parallel: *parallel}
	var err error
	if c.from, err = from.open(*parallel); err != nil {
		return err
	}
	if c.to, err = to.open(*parallel); err != nil {
		return err
	}
	do := c.all
	if *verify {
		do = c.verify
	}
	if err := do(ctx); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(outcome{
		Requests: c.from.requests.Load() + c.to.requests.Load(),
		Objects:  c.objects.Load(), Files: c.files.Load(),
	})
}

// side is one server on the command line.
type side struct{ url, user, key, api string }

// flags defines the flags of a side.
func (s *side) flags(f *flag.FlagSet, name string) {
	f.StringVar(&s.url, name, "", "URL up to where /roles is")
	f.StringVar(&s.user, name+"-user", "", "who signs")
	f.StringVar(&s.key, name+"-key", "", "file of the private key")
	f.StringVar(&s.api, name+"-api", "2", "version of the API: 2, or 1 for goiardi")
}
