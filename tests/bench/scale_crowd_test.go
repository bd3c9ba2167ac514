package bench

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// crowd is an ec-syncd with many pairs between two servers. Each organization has
// one role.
type crowd struct {
	*harness.Syncd
	t                testing.TB
	temporal         temporal.Client
	primary, replica *harness.ChefServer
	organizations    []string
	value            int // of the role that was written last
	started          started
}

const crowdRole = "r"

// change writes the role of an organization on the primary, without a request.
func (c *crowd) change(org, method, path string) {
	c.t.Helper()
	if err := c.primary.Load(org, method, path, c.body()); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) body() json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"name":%q,"chef_type":"role","json_class":"Chef::Role","default_attributes":{"value":%d}}`,
		crowdRole, c.value))
}

// until asks at intervals until the answer is yes.
func (c *crowd) until(what string, yes func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); !yes(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("not in time: %s; %d follow", what, c.following())
		}
	}
}

// following counts the pairs that follow, which costs Temporal something.
func (c *crowd) following() int64 {
	time.Sleep(time.Second)
	got, err := c.temporal.CountWorkflow(c.t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowType = '%s' AND ChefSyncMode = '%s'", workflows.Name, workflows.ModeFollowing),
	})
	if err != nil {
		return 0 // very busy: ask again
	}
	return got.GetCount()
}

// events is the length of all histories together.
func (c *crowd) events() int64 {
	c.t.Helper()
	var sum atomic.Int64
	c.each(c.organizations, func(org string) error {
		id := object.Pair{Replica: thePair.Replica, Source: org, Destination: org}.WorkflowID()
		got, err := c.temporal.DescribeWorkflowExecution(c.t.Context(), id, "")
		sum.Add(got.GetWorkflowExecutionInfo().GetHistoryLength())
		return err
	})
	return sum.Load()
}

// each calls f for some organizations, eight at a time.
func (c *crowd) each(organizations []string, f func(org string) error) {
	c.t.Helper()
	var g errgroup.Group
	g.SetLimit(8)
	for _, org := range organizations {
		g.Go(func() error { return f(org) })
	}
	if err := g.Wait(); err != nil {
		c.t.Fatal(err)
	}
}

// check fails the test unless the roles of some organizations are as on the primary.
func (c *crowd) check(organizations []string) {
	c.t.Helper()
	c.each(organizations, func(org string) error {
		got, err := c.replica.Client.WithOrganization(org).GetRole(c.t.Context(), crowdRole)
		if err == nil && valueOf(got) != c.value {
			err = fmt.Errorf("the role of %s has the value %d on the replica; want %d", org, valueOf(got), c.value)
		}
		return err
	})
}

func (c *crowd) requests() int { return c.primary.Stats().Total + c.replica.Stats().Total }

// idle watches the pairs wait for changes that do not come.
func (c *crowd) idle(d time.Duration) idle {
	c.t.Helper()
	events, requests, cpu, began := c.events(), c.requests(), c.CPU(c.t), time.Now()
	time.Sleep(d)
	out := idle{cpu: c.CPU(c.t) - cpu, requests: c.requests() - requests, took: time.Since(began)}
	out.memory, _ = c.Memory(c.t)
	out.events = c.events() - events
	return out
}

// burst changes the roles of some organizations at once, and waits until they have
// arrived.
func (c *crowd) burst(organizations []string) burst {
	c.t.Helper()
	c.value++
	c.replica.ResetStats()
	events, cpu, began := c.events(), c.CPU(c.t), time.Now()
	for _, org := range organizations {
		c.change(org, "PUT", "/roles/"+crowdRole)
	}
	c.until("the changes have arrived", func() bool { return c.replica.Stats().WriteTotal() >= len(organizations) })
	out := burst{pairs: len(organizations), wall: time.Since(began)}
	c.until("all pairs follow", func() bool { return c.following() == int64(len(c.organizations)) })
	out.cpu, out.over = c.CPU(c.t)-cpu, time.Since(began)
	c.check(organizations)
	if n := c.replica.Stats().WriteTotal(); n != len(organizations) {
		c.t.Errorf("%d writes for %d changes", n, len(organizations))
	}
	out.events = c.events() - events
	return out
}

// bareLoop reads the roles from the primary and writes them to the replica, and
// does nothing else.
func (c *crowd) bareLoop(organizations []string) burst {
	c.t.Helper()
	began := time.Now()
	c.each(organizations, func(org string) error {
		body, err := c.primary.Client.WithOrganization(org).GetRole(c.t.Context(), crowdRole)
		if err != nil {
			return err
		}
		return c.replica.Client.WithOrganization(org).UpdateRole(c.t.Context(), crowdRole, body)
	})
	return burst{pairs: len(organizations), wall: time.Since(began)}
}
