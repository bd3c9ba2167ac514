package ctl

import (
	"fmt"

	"github.com/urfave/cli/v2"
	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/internal/version"
)

func (a *App) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Description: `Reads no configuration and reaches nothing. ec-syncd version is that of the
daemon; doctor compares the two.

   ` + program + ` version
   ` + program + ` version --output json`,
		Action: a.version,
	}
}

// versionAnswer is the answer of version.
type versionAnswer struct {
	version.Info
	TemporalSDK string `json:"temporal_sdk"`
}

func (a *App) version(c *cli.Context) error {
	p, err := a.printer(c)
	if err != nil {
		return err
	}
	v := versionAnswer{Info: a.Version, TemporalSDK: temporal.SDKVersion}
	if p.json {
		return p.document(v)
	}
	_, err = fmt.Fprintf(p.out, "%s %s, %s, Temporal SDK %s\n", program, v.Info, v.Go, v.TemporalSDK)
	return err
}
