package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/chef-sync/chef-sync/internal/config"
)

// readyTimeout bounds the whole question; ec-syncd itself asks Temporal for two
// seconds at the most.
const readyTimeout = 5 * time.Second

// mostAnswer is how much of an answer is printed, in bytes.
const mostAnswer = 500

func readyCommand() *cli.Command {
	return &cli.Command{
		Name:  "ready",
		Usage: "ask the ec-syncd of this host whether it reaches Temporal",
		Description: "Asks what runs at metrics_address of chef-sync.rb for /readyz, and prints the answer. It is the\n" +
			"health check of the container image, in which there is no other program.\n\n" +
			"Exit codes: 0 it does; 1 it does not, or nothing answers there; 2 the configuration cannot be\n" +
			"used, or sets no metrics_address.\n\n" +
			"Example: ec-syncd ready",
		HideHelpCommand: true,
		Action:          readyAction,
	}
}

func readyAction(c *cli.Context) error {
	cfg, err := config.Load(c.String("config"))
	if err != nil {
		return fmt.Errorf("%w (%w)", err, errUsage)
	}
	if cfg.Watch.MetricsAddress == "" {
		return fmt.Errorf("%s sets no metrics_address, so there is nobody to ask; set metrics_address '127.0.0.1:9464' (%w)", cfg.File, errUsage)
	}
	ctx, cancel := context.WithTimeout(c.Context, readyTimeout)
	defer cancel()
	answer, err := askReady(ctx, reachable(cfg.Watch.MetricsAddress))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, answer)
	return err
}

// askReady returns what /readyz answers at host:port if that is 200.
func askReady(ctx context.Context, address string) (string, error) {
	url := "http://" + address + "/readyz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{}} // without the proxy of the environment
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	answer := strings.TrimSpace(string(body))
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s: %s", url, resp.Status, answer)
	}
	return answer, err
}

// reachable is where a listener on an address is reached from its own host.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch ip := net.ParseIP(host); {
	case host == "", ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
