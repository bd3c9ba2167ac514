package ctl

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
	"go.temporal.io/sdk/temporal"
)

func (a *App) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Description: `Reads no configuration and reaches nothing.

   ` + program + ` version --output json`,
		Action: a.version,
	}
}

// versionAnswer is the answer of version.
type versionAnswer struct {
	Version     string `json:"version"`
	Go          string `json:"go"`
	TemporalSDK string `json:"temporal_sdk"`
}

func (a *App) version(c *cli.Context) error {
	p, err := a.printer(c)
	if err != nil {
		return err
	}
	v := versionAnswer{Version: a.Version, Go: runtime.Version(), TemporalSDK: temporal.SDKVersion}
	if p.json {
		return p.document(v)
	}
	_, err = fmt.Fprintf(p.out, "%s %s (%s, Temporal SDK %s)\n", program, v.Version, v.Go, v.TemporalSDK)
	return err
}
