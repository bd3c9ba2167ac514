//go:build !noembed

package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

func TestInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	var logs logBuffer
	begin := time.Now()
	s, err := Start(t.Context(), Options{
		Port: -1, UIPort: -1, Logger: logs.logger(),
		SearchAttributes: map[string]enums.IndexedValueType{
			"ChefOrg": enums.INDEXED_VALUE_TYPE_KEYWORD, "ChefSeq": enums.INDEXED_VALUE_TYPE_INT,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	t.Logf("ready after %s", time.Since(begin).Round(time.Millisecond))
	c, w, err := startWorker(s)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("workflow", func(t *testing.T) {
		if _, err := startFollow(t.Context(), c, "follow", 42); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
				Query: "ChefOrg = 'acme' AND ChefSeq = 42",
			})
			if err == nil && len(list.Executions) != 1 {
				err = fmt.Errorf("listed by search attributes: got %d workflows, want 1", len(list.Executions))
			}
			return err
		})
		finish(t, c, "follow")
		t.Logf("workflow done after %s", time.Since(begin).Round(time.Millisecond))
	})

	t.Run("retention", func(t *testing.T) {
		checkRetention(t, c, DefaultRetention)
	})

	t.Run("Web UI", func(t *testing.T) {
		response, err := http.Get(s.UIURL() + "/namespaces/default/workflows")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("status %s", response.Status)
		}
	})

	t.Run("taken ports", func(t *testing.T) {
		for setting, o := range map[string]Options{
			"temporal['port']":    {Port: portOf(t, s.HostPort()), NoUI: true},
			"temporal['ui_port']": {Port: -1, UIPort: portOf(t, strings.TrimPrefix(s.UIURL(), "http://"))},
		} {
			_, err := Start(t.Context(), o)
			if !errors.Is(err, ErrPortInUse) || !strings.Contains(fmt.Sprint(err), setting) {
				t.Errorf("got error %v, want ErrPortInUse and a hint to %s", err, setting)
			}
		}
	})

	w.Stop()
	c.Close()
	if lines := logs.take(); lines != "" {
		t.Errorf("logged while running:\n%s", lines)
	}
	begin = time.Now()
	s.Stop()
	t.Logf("stopped after %s", time.Since(begin).Round(time.Millisecond))
	s.Stop()
	if lines := logs.take(); lines != "" {
		t.Errorf("logged by Stop:\n%s", lines)
	}
	for _, address := range []string{s.HostPort(), strings.TrimPrefix(s.UIURL(), "http://")} {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			t.Errorf("%s still answers after Stop", address)
		}
	}
}

// TestInvalidOptions covers what Start refuses before it starts anything.
func TestInvalidOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		o    Options
		want string
	}{
		{"directory is a file", t.Context(), Options{Dir: file}, "working directory"},
		{"directory cannot be made", t.Context(), Options{Dir: "/proc/chef-sync"}, "working directory"},
		{"port out of range", t.Context(), Options{Port: 70000}, "temporal['port']: 70000 is not a port number"},
		{"same port twice", t.Context(), Options{Port: 9000, UIPort: 9000}, "both 9000"},
		{"retention too short", t.Context(), Options{Retention: time.Minute}, "retention is 1m0s"},
		{"context ended", ended, Options{Port: -1, UIPort: -1}, context.Canceled.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Start(test.ctx, test.o)
			if err == nil {
				s.Stop()
			}
			if !strings.Contains(fmt.Sprint(err), test.want) {
				t.Errorf("got error %v, want %q in it", err, test.want)
			}
		})
	}
}

// checkRetention asks the server how long it keeps closed workflows.
func checkRetention(t *testing.T, c client.Client, want time.Duration) {
	t.Helper()
	ns, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: DefaultNamespace})
	if err != nil {
		t.Fatal(err)
	}
	if got := ns.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); got != want {
		t.Errorf("retention: got %s, want %s", got, want)
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
