package ctl

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/codecserver"
	"github.com/chef-sync/chef-sync/internal/connect"
)

const (
	flagListen = "listen"
	flagOrigin = "origin"

	codecKeySetting = "temporal['codec_key_file']"
)

func (a *App) codecServerCommand() *cli.Command {
	return &cli.Command{
		Name:  "codec-server",
		Usage: "decrypt for the Temporal Web UI and the temporal CLI what they show",
		Description: `With ` + codecKeySetting + ` Temporal holds encrypted payloads, and its own
tools show them as they are. This serves Temporal's remote codec protocol with the keys
of the configuration, until it is interrupted:

   ` + program + ` codec-server
   temporal workflow show --workflow-id chef-sync/sync/acme --codec-endpoint http://127.0.0.1:8081

In the Web UI the same endpoint goes behind Configure Codec Server, in the bar at the
top. For a Web UI that is not inside ec-syncd, name where browsers find it:

   ` + program + ` codec-server --origin https://temporal.example.com

It decrypts for whoever reaches it, so it listens on loopback only, and whoever is
logged in to this host can ask while it runs. From another host, open a tunnel:

   ssh -N -L 8081:127.0.0.1:8081 -L 8233:127.0.0.1:8233 HOST

The keys are read at the start.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: flagListen, Value: "127.0.0.1:8081", Usage: "listen on `HOST:PORT` of loopback; port 0 takes any free one"},
			&cli.StringSliceFlag{Name: flagOrigin, Usage: "let pages of the Web UI at `URL` ask; may be given again (default: the Web UI inside ec-syncd, if that is where Temporal is)"},
		},
		Action: a.codecServer,
	}
}

// servedCodec is what codec-server says when it listens.
type servedCodec struct {
	Endpoint  string   `json:"endpoint"`
	Namespace string   `json:"namespace"`
	Origins   []string `json:"origins"`
}

func (a *App) codecServer(c *cli.Context) error {
	if c.Args().Present() {
		return unusable("codec-server", "codec-server takes no argument, and got %q", c.Args().First())
	}
	k, f, err := a.begin(c)
	if k == nil || err != nil && (k.set.file == "" || k.set.cfg.Temporal.CodecKeyFile == "") {
		return err // wherever the keys are, they are enough
	}
	cfg := k.set.cfg
	switch {
	case k.set.file == "":
		return fail(ExitUsage, program+" --config FILE codec-server", "codec-server: without a configuration it is not known where the keys are")
	case cfg.Temporal.CodecKeyFile == "":
		return fail(ExitUsage, program+" show-config", "codec-server: %s is not set in %s: what Temporal holds is not encrypted by chef-sync", codecKeySetting, k.set.file)
	}
	codec, err := connect.Codec(cfg)
	if err != nil {
		return fail(ExitUsage, program+" doctor", "codec-server: %w", err)
	}
	found, err := connect.Temporal(cfg, a.Env)
	if err != nil {
		return fail(ExitUsage, program+" doctor", "codec-server: %w", err)
	}
	s := servedCodec{Namespace: found.Options.Namespace, Origins: []string{}}
	if f.namespace != "" {
		s.Namespace = f.namespace
	}
	if s.Origins, err = origins(c.StringSlice(flagOrigin), found.Embedded && f.address == "", cfg.Temporal.UIPort); err != nil {
		return err
	}
	address := c.String(flagListen)
	l, err := codecserver.Listen(c.Context, address)
	switch {
	case errors.Is(err, codecserver.ErrNotLoopback):
		return fail(ExitUsage, program+" codec-server --"+flagListen+" 127.0.0.1:8081\nssh -N -L 8081:127.0.0.1:8081 HOST    # from elsewhere",
			"codec-server: --%s %s is not on loopback, and whoever reaches it could decrypt everything", flagListen, address)
	case err != nil:
		return fail(ExitNotDone, program+" codec-server --"+flagListen+" 127.0.0.1:0", "codec-server: listen on %s: %w", address, err)
	}
	s.Endpoint = "http://" + l.Addr().String()
	if err := s.show(k.print); err != nil {
		_ = l.Close() // nobody was told of it
		return err
	}
	return codecserver.Serve(c.Context, l, codecserver.New(codecserver.Options{Codec: codec, Namespace: s.Namespace, Origins: s.Origins}))
}

// origins are the Web UIs that may ask: those that were named, else the one inside
// ec-syncd, whose port is 0 if it is not known.
func origins(named []string, embedded bool, port int) ([]string, error) {
	if len(named) == 0 && embedded && port != 0 {
		p := strconv.Itoa(port)
		named = []string{"http://" + net.JoinHostPort("127.0.0.1", p), "http://" + net.JoinHostPort("localhost", p)}
	}
	out := []string{}
	for _, n := range named {
		o, err := codecserver.Origin(n)
		if err != nil {
			return nil, unusable("codec-server", "codec-server: --%s %w", flagOrigin, err)
		}
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out, nil
}

// show says where to ask.
func (s servedCodec) show(p *printer) error {
	if p.json {
		return p.document(s)
	}
	fmt.Fprintf(p.out, "%s decrypts payloads for everybody on this host, until you interrupt it\n", s.Endpoint)
	fmt.Fprintf(p.out, "temporal CLI: --codec-endpoint %s\n", s.Endpoint)
	if len(s.Origins) == 0 {
		fmt.Fprintf(p.out, "Web UI:       none may ask; name its address with --%s URL\n", flagOrigin)
		return nil
	}
	fmt.Fprintf(p.out, "Web UI:       %s, with this endpoint behind Configure Codec Server\n", strings.Join(s.Origins, ", "))
	return nil
}
