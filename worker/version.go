package main

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"
	"go.temporal.io/sdk/temporal"

	"github.com/chef-sync/chef-sync/internal/temporalserver"
	"github.com/chef-sync/chef-sync/internal/version"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the versions of ec-syncd and of the Temporal server in it",
		Description: "Reads no configuration and reaches nothing.\n\n" +
			"Example: ec-syncd version --output json",
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "print a table or json, `FORMAT`"},
		},
		Action: versionAction,
	}
}

// versionAnswer is the answer of version in JSON. TemporalServer is null in a
// binary without one.
type versionAnswer struct {
	version.Info
	TemporalSDK    string  `json:"temporal_sdk"`
	TemporalServer *string `json:"temporal_server"`
}

func versionAction(c *cli.Context) error {
	v := versionAnswer{Info: version.Get(), TemporalSDK: temporal.SDKVersion}
	server := temporalserver.Version()
	if server != "" {
		v.TemporalServer = &server
	}
	switch o := c.String("output"); o {
	case "json":
		e := json.NewEncoder(c.App.Writer)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case "table":
		_, err := fmt.Fprintf(c.App.Writer, "ec-syncd %s, %s, Temporal SDK %s, Temporal server %s\n",
			v.Info, v.Go, v.TemporalSDK, cmp.Or(server, "not built in"))
		return err
	default:
		return fmt.Errorf("--output %s: there are table and json (%w)", o, errUsage)
	}
}
