package traces

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
)

// scope names what makes the spans.
const scope = "github.com/chef-sync/chef-sync"

// stopTimeout bounds how long [Traces.Stop] waits for the collector.
const stopTimeout = 3 * time.Second

// Options are the arguments of [New].
type Options struct {
	// Endpoint is the URL of a collector that speaks OTLP over gRPC; "" means the one
	// that the environment names.
	Endpoint string

	Replica string // its name
	Version string // of ec-syncd

	Log *slog.Logger // required
}

// Traces are the traces of one process. A nil Traces traces nothing.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	log      *slog.Logger
	secrets  secrets
}

// New returns the traces that options and environment ask for; nil if none. Nothing is
// sent yet, and no collector has to be there. What else the exporter and its spans need
// comes from the standard variables, of which OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES win over what is known here. An environment that makes no
// sense is logged, and there are no traces: they are never a reason not to copy.
// Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
func New(ctx context.Context, o Options) (*Traces, error) {
	endpoint, from, why := endpointOf(o.Endpoint, os.Getenv)
	if why != "" {
		o.Log.WarnContext(ctx, "there are no traces", "why", why)
	}
	if endpoint == "" {
		return nil, nil
	}
	t := &Traces{log: o.Log.With("endpoint", shown(endpoint)), secrets: secretsOf(os.Getenv)}
	if n := t.secrets.malformed; n != "" {
		t.log.WarnContext(ctx, "a header field for the collector is not NAME=VALUE, and is left out", "variable", n)
	}
	// What OpenTelemetry logs by itself quotes the headers that it cannot read.
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(otel.ErrorHandlerFunc(t.failed))
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("traces to %s (%s): %s", shown(endpoint), from, t.secrets.hide(err.Error()))
	}
	t.start(ctx, o, sdktrace.NewBatchSpanProcessor(&mutedExporter{exporter, t.failed}, queue()...))
	t.log.InfoContext(ctx, "traces are sent", "from", from)
	return t, nil
}

// A mutedExporter tells of its errors itself. What it returned would go to the error
// handler of the whole process, which is that of the embedded Temporal server once it
// runs, and quotes the collector, which may quote our headers.
type mutedExporter struct {
	sdktrace.SpanExporter
	failed func(error)
}

// ExportSpans implements [sdktrace.SpanExporter].
func (m *mutedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := m.SpanExporter.ExportSpans(ctx, spans); err != nil {
		m.failed(err)
	}
	return nil
}

// queue is how many spans wait to be sent, where the environment does not say: those of
// a dozen pages of many objects, in some megabytes. What is beyond is lost.
func queue() []sdktrace.BatchSpanProcessorOption {
	if os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE") != "" {
		return nil
	}
	return []sdktrace.BatchSpanProcessorOption{sdktrace.WithMaxQueueSize(8192)}
}

// start makes the tracer.
func (t *Traces) start(ctx context.Context, o Options, p sdktrace.SpanProcessor) {
	about, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.name", "ec-syncd"),
			attribute.String("service.version", o.Version),
			attribute.String("chef_sync.replica", o.Replica),
		),
		resource.WithHost(), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil { // about holds what could be read
		t.failed(err)
	}
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(p), sdktrace.WithResource(about), sdktrace.WithIDGenerator(ids{}))
	t.tracer = t.provider.Tracer(scope, trace.WithInstrumentationVersion(o.Version))
}

// failed logs what went wrong with traces, which matters to nothing else.
func (t *Traces) failed(err error) {
	t.log.Warn("traces are lost", "err", t.secrets.hide(err.Error()))
}

// Interceptors are for the workers of this process.
func (t *Traces) Interceptors() []interceptor.WorkerInterceptor {
	if t == nil {
		return nil
	}
	return []interceptor.WorkerInterceptor{&workerInterceptor{traces: t}}
}

// Stop sends what is left, which takes a few seconds at the most. It may be called
// again, and of nil.
func (t *Traces) Stop() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout) //nolint:forbidigo // that of whoever stops has ended
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.failed(err)
	}
}

// endpointOf finds the URL of the collector, and where it was found; "" means that
// nobody wants traces, or nobody can have them for the reason why.
func endpointOf(set string, env func(string) string) (endpoint, from, why string) {
	if set != "" {
		return set, "traces_endpoint", ""
	}
	for _, from = range []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		if endpoint = env(from); endpoint != "" {
			break
		}
	}
	if endpoint == "" || env("OTEL_SDK_DISABLED") == "true" || env("OTEL_TRACES_EXPORTER") == "none" {
		return "", "", ""
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", "", from + " is not a URL such as http://otel.example.com:4317"
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch env(name) {
		case "":
			continue
		case "grpc":
		default:
			return "", "", name + " is not grpc, which is all that ec-syncd speaks; set it to grpc, or set traces_endpoint"
		}
		break
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String(), from, ""
}

// shown is an endpoint for the log.
func shown(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}
