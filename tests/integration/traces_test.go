package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// What is copied is told to a collector: a page is a trace, an idle pair is silent, and
// nothing that is secret is told, nor the token of the collector to anybody else. The
// pair goes on whether traces are on or off, and what is told last is not lost.
func TestTraces(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	const token = "Bearer HUSHTOKEN77a1"
	c := newOTLP(t, token)
	d := &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{})}
	d.write = harness.Write(t, d.primary.Client)
	fillWithSecrets(d.write)
	d.replica.Faults().Add(chefserver.Fault{Path: harness.Path("/data/refused"), Method: "POST",
		Effect: chefserver.Status(400, `{"error":["`+secretValue+`"]}`)})
	d.syncd = harness.PrepareSyncd(t)
	d.syncd.Env = []string{
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=" + strings.ReplaceAll(token, " ", "%20"), "OTEL_BSP_SCHEDULE_DELAY=200",
	}
	settings := func(traces string) string {
		return "poll_interval 1\nlog_level 'debug'\nmaster_headers 'X-Proxy-Token' => '" + secretHeader + "'\n" + traces
	}
	on := settings("traces_endpoint '" + c.URL + "'\n")
	d.syncd.Configure(t, d.primary.Side(), d.replica.Side(), on)
	d.syncd.Start(t)
	d.start()
	d.is("unsynced", 1)
	d.is("state", "following")

	change := func(value string) {
		t.Helper()
		d.write.Role("role1", value)
		harness.Until(t, "role1 is copied: "+value, func() bool {
			return len(harness.Diff(t, d.primary, d.replica)) == 1 // what is refused
		}, func() string { return d.syncd.Log(t) })
	}
	page := []string{
		"Poll>GET updated_since primary 200", "Poll>Fetch", "Poll>Fetch>GET roles primary 200",
		"Poll>Apply", "Poll>Apply>PUT roles replica 200",
	}
	change("2")
	harness.Until(t, "a trace of the page", func() bool { return c.has(page...) },
		func() string { return fmt.Sprint(c.traces(), "\n", d.syncd.Log(t)) })
	// A span comes when it has ended, before its parent has.
	harness.Until(t, "the parent of each span", func() bool {
		for _, spans := range c.traces() {
			if slices.ContainsFunc(spans, func(s string) bool { return strings.HasPrefix(s, "?") }) {
				return false
			}
		}
		return true
	}, func() string { return fmt.Sprint(c.traces()) })

	d.replica.Faults().Clear()
	d.syncd.MustCtl(t, "sync-now", harness.Organization) // or wait for the next try
	d.is("unsynced", 0)
	d.equal("nothing is refused any more")
	d.idle(c)

	d.restart(d.primary.Side(), d.replica.Side(), settings(""))
	silent := len(c.got())
	d.write.Role("role1", "3")
	d.equal("without traces")
	d.syncd.Stop()
	if n := len(c.got()); n != silent {
		t.Errorf("%d spans came without traces_endpoint", n-silent)
	}

	d.syncd.Env = append(d.syncd.Env, "OTEL_BSP_SCHEDULE_DELAY=3600000", "OTEL_SERVICE_NAME=copier",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	d.syncd.Start(t)
	d.write.Role("role2", "3")
	d.equal("with traces, by the environment")
	d.syncd.Stop()
	if !c.has(page...) || len(c.got()) == silent || !strings.Contains(c.said(), "copier") {
		t.Errorf("what was left was not sent at the end:\n%s", d.syncd.Log(t))
	}
	if !strings.Contains(c.said(), `"acme"`) {
		t.Error("no span names the organization")
	}
	for _, secret := range append(planted(), "HUSH", "PRIVATE KEY", "passwords", "vault", "role1", harness.SyncUser, d.primary.URL) {
		if strings.Contains(c.said(), secret) {
			t.Errorf("a span has %q", secret)
		}
	}
	if strings.Contains(d.syncd.Log(t), "HUSH") {
		t.Error("the log repeats the token")
	}
}

// idle checks that polls which find nothing leave no spans.
func (d *duo) idle(c *otlp) {
	d.t.Helper()
	harness.Until(d.t, "all spans are there", func() bool {
		n := len(c.got())
		d.poll()
		return len(c.got()) == n
	}, func() string { return fmt.Sprint(c.traces()) })
	before := len(c.got())
	for range 3 {
		d.poll()
	}
	if after := c.got(); len(after) > before {
		d.t.Errorf("an idle pair made %d spans: %v", len(after)-before, after[before:])
	}
}

// poll has the primary's feed asked, at least twice more.
func (d *duo) poll() {
	d.t.Helper()
	count := func() int { return d.primary.Stats().Requests["GET /organizations/ORG/updated_since"] }
	for range 2 {
		from := count()
		d.syncd.MustCtl(d.t, "sync-now", harness.Organization)
		harness.Until(d.t, "a poll", func() bool { return count() > from }, func() string { return fmt.Sprint(d.primary.Stats().Requests) })
	}
}

// A collector that is not there, and one that refuses, are told of in the log, and
// matter to nothing else.
func TestTracesWithoutCollector(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	refuses := newOTLP(t, "another token")
	for name, c := range map[string]struct{ url, says string }{
		"absent":  {fmt.Sprintf("http://127.0.0.1:%d", harness.FreePort(t)), "connection refused"},
		"refuses": {refuses.URL, "Unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{})}
			d.write = harness.Write(t, d.primary.Client)
			d.write.Small()
			d.syncd = harness.PrepareSyncd(t)
			d.syncd.Env = []string{
				"OTEL_EXPORTER_OTLP_HEADERS=authorization=HUSHTOKEN77a1", "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_EXPORTER_OTLP_TIMEOUT=500",
			}
			d.syncd.Configure(t, d.primary.Side(), d.replica.Side(), "poll_interval 1\ntraces_endpoint '"+c.url+"'\n")
			d.syncd.Start(t)
			d.start()
			d.equal("nobody hears of it")
			for i := range 5 {
				d.write.Role("role1", fmt.Sprint("again ", i))
				d.equal("nobody hears of this either")
			}
			more := 0
			harness.Until(t, "the log says so, and why", func() bool {
				log := d.syncd.Log(t)
				if strings.Contains(log, "traces are lost") && strings.Contains(log, c.says) {
					return true
				}
				more++ // the first may have been lost for no better reason than that there was no time
				d.write.Role("role2", fmt.Sprint("more ", more))
				nap(t.Context(), 500*time.Millisecond)
				return false
			}, func() string { return d.syncd.Log(t) })
			began := time.Now()
			d.syncd.Stop()
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %s to stop", took)
			}
			log := d.syncd.Log(t)
			if n := strings.Count(log, "traces are lost"); n > 4 {
				t.Errorf("the log says %d times that traces are lost, want once for each kind of error:\n%s", n, log)
			}
			if strings.Contains(log, "HUSH") {
				t.Error("the log repeats the token")
			}
		})
	}
}
