package webui

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/chef-sync/chef-sync/tests/harness"
)

const (
	// waitTimeout is how long WaitText waits. The first page of a fresh browser on
	// a busy machine of two cores takes some five seconds.
	waitTimeout = 90 * time.Second
	// reloadAfter is when WaitText loads a page anew: a page that was loaded before
	// Temporal listed what happened does not look again by itself.
	reloadAfter = 15 * time.Second
	// pollInterval is the time between two looks at a page.
	pollInterval = 100 * time.Millisecond

	// Wide and high enough for the Web UI to leave no column and no row out.
	windowWidth, windowHeight = 1600, 1400
)

// Browser is a headless Chromium with one page. Its methods end the test if
// something goes wrong, so they must be called from the test's goroutine.
type Browser struct {
	t   testing.TB
	ctx context.Context // of chromedp, which keeps the page in it

	reload time.Duration // reloadAfter, but in a test of it

	mu      sync.Mutex
	outside []string // requests that were not for this host
}

// Open starts a browser with an empty profile, which ends with the test. It
// skips the test in short mode. The test fails if a page asks for anything that
// is not on 127.0.0.1; the browser could not reach it either.
func Open(t testing.TB) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	harness.Require(t, "chromium")
	path := browserPath(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.WindowSize(windowWidth, windowHeight),
		chromedp.NoSandbox, // Chromium has none for root, as which containers run tests
		chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(waitTimeout),
		chromedp.Flag("lang", "en-US"),
		// The browser itself is to be silent, too: no updates, no QUIC probes, and
		// no name that leads anywhere.
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	// Not t.Context(), which ends before the cleanups that need the browser.
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	// Chromium is newer than chromedp and sends events that it cannot decode; what
	// matters comes back as an error.
	silent := func(string, ...any) {}
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(silent), chromedp.WithLogf(silent))

	b := &Browser{t: t, ctx: ctx, reload: reloadAfter}
	t.Cleanup(func() {
		cancel()
		cancelAllocator()
		b.checkRequests()
	})
	err := chromedp.Listen(ctx, b.observe) // starts the browser
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return b
}

// browserPath returns the first of the browsers that harness.Require is content with.
func browserPath(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium in PATH")
	return ""
}

// observe collects requests that leave this host. chromedp calls it from a
// goroutine that may outlive the test, so it must not use t.
func (b *Browser) observe(event any) {
	var address string
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		address = e.Request.URL
	case *network.EventWebSocketCreated:
		address = e.URL
	default:
		return
	}
	if !local(address) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.outside = append(b.outside, address)
	}
}

// local says whether a request for address stays on this host.
func local(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "data", "blob", "about", "chrome":
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

// checkRequests fails the test if observe has seen a request to elsewhere.
func (b *Browser) checkRequests() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.outside) > 0 {
		b.t.Errorf("the browser made requests outside 127.0.0.1:\n%s", strings.Join(b.outside, "\n"))
	}
}

// WaitText opens url and waits until the text that a person sees there has every
// one of wants in it, upper and lower case and kinds of white space being the same.
// It returns the text as it then is. Without wants it returns the first text
// there is. It loads the page anew now and then, as a person would. After waitTimeout
// the test fails with the last text.
//
// The address may be that of the page already open, which is then loaded anew.
func (b *Browser) WaitText(url string, wants ...string) (text string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, waitTimeout)
	defer cancel()
	var loaded time.Time
	for patience := b.reload; ; {
		if loaded.IsZero() || time.Since(loaded) > patience {
			if !loaded.IsZero() {
				patience *= 2 // it may just be slow
			}
			if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil && ctx.Err() == nil {
				b.t.Fatalf("open %s: %v", url, err)
			}
			loaded = time.Now()
		}
		// An error is no reason to stop: one page may just be giving way to the next.
		if current, err := visibleText(ctx); err == nil {
			text = current
			if strings.TrimSpace(text) != "" && len(missing(text, wants)) == 0 {
				return text
			}
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("%s: after %s without %q; the page says:\n%s", url, waitTimeout, missing(text, wants), text)
		case <-time.After(pollInterval):
		}
	}
}

// visibleText returns the text of the page, of the frames in it, and of its input
// fields. The Web UI renders Markdown in frames and shows filters in input fields.
func visibleText(ctx context.Context) (string, error) {
	const script = `(function text(page) {
		const frames = Array.from(page.querySelectorAll('iframe'), frame => frame.contentDocument);
		const fields = Array.from(page.querySelectorAll('input[type=text], input[type=search], textarea'), field => field.value);
		return [page.body.innerText, ...frames.map(text), ...fields].join('\n').trim();
	})(document)`
	return chromedp.Run(ctx, chromedp.Evaluate[string](script))
}

// ShowColumns makes the list of workflows of namespace, in the Web UI at uiURL, show
// these columns instead of its default ones. A person does it once per browser with
// the button "Configure Columns" below the list, and the Web UI keeps it there.
func (b *Browser) ShowColumns(uiURL, namespace string, columns ...string) {
	b.t.Helper()
	type column struct {
		Label string `json:"label"`
	}
	labels := make([]column, 0, len(columns))
	for _, label := range columns {
		labels = append(labels, column{label})
	}
	setting, err := json.Marshal(map[string][]column{namespace: labels})
	if err != nil {
		b.t.Fatal(err)
	}
	b.WaitText(uiURL) // a page's storage is that of its server
	script := fmt.Sprintf("localStorage.setItem('namespace-workflow-table-columns', %s)", strconv.Quote(string(setting)))
	if err := chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void](script)); err != nil {
		b.t.Fatalf("show columns %q: %v", columns, err)
	}
}

// DecodeAt makes the Web UI at uiURL have payloads decoded at an endpoint of Temporal's
// remote codec protocol. A person does it once per browser with the button "Configure
// Codec Server" at the top, and the Web UI keeps it there.
func (b *Browser) DecodeAt(uiURL, endpoint string) {
	b.t.Helper()
	b.WaitText(uiURL) // a page's storage is that of its server
	script := fmt.Sprintf("localStorage.setItem('endpoint', JSON.stringify(%s)); localStorage.setItem('overrideRemoteCodecConfiguration', 'true')",
		strconv.Quote(endpoint))
	if err := chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void](script)); err != nil {
		b.t.Fatalf("decode at %s: %v", endpoint, err)
	}
}

// missing returns those of wants that text lacks.
func missing(text string, wants []string) []string {
	var missing []string
	text = fold(text)
	for _, want := range wants {
		if !strings.Contains(text, fold(want)) {
			missing = append(missing, want)
		}
	}
	return missing
}

// fold makes texts comparable: style sheets change the case of headings and put
// table cells on lines of their own.
func fold(text string) string {
	return strings.ToLower(strings.Join(strings.Fields(text), " "))
}

// Screenshot writes the whole of the page that is open to file, as a PNG image.
func (b *Browser) Screenshot(file string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, waitTimeout)
	defer cancel()
	const png = 100 // the quality at which chromedp does not choose JPEG
	image, err := chromedp.Run(ctx, chromedp.FullScreenshot(png))
	if err == nil {
		err = os.WriteFile(file, image, 0o644)
	}
	if err != nil {
		b.t.Fatal(fmt.Errorf("screenshot %s: %w", file, err))
	}
}
