package traces

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"go.opentelemetry.io/otel"
)

func TestEndpoint(t *testing.T) {
	const all, own = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for _, c := range []struct {
		set  string
		env  map[string]string
		want string
		why  string
	}{
		{},
		{set: "http://a:4317", want: "http://a:4317"},
		{set: "http://a:4317", env: map[string]string{all: "http://b:4317", "OTEL_TRACES_EXPORTER": "none"}, want: "http://a:4317"},
		{env: map[string]string{all: "http://b:4317"}, want: "http://b:4317"},
		{env: map[string]string{all: "http://b:4317", own: "https://c"}, want: "https://c"},
		{env: map[string]string{all: "http://me:hush@b:4317/x"}, want: "http://b:4317"},
		{env: map[string]string{all: "http://b:4317", "OTEL_SDK_DISABLED": "true"}},
		{env: map[string]string{all: "http://b:4317", "OTEL_TRACES_EXPORTER": "none"}},
		{env: map[string]string{all: "b:4317"}, why: all + " is not a URL"},
		{env: map[string]string{all: "http://b:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, why: "OTEL_EXPORTER_OTLP_PROTOCOL is not grpc"},
		{env: map[string]string{all: "http://b:4317", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, want: "http://b:4317"},
	} {
		got, _, why := endpointOf(c.set, func(name string) string { return c.env[name] })
		if got != c.want || !strings.HasPrefix(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%q with %v: %q, %q; want %q, %q", c.set, c.env, got, why, c.want, c.why)
		}
	}
}

func TestSecretsAreHidden(t *testing.T) {
	env := map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS":        "authorization=Bearer%20hush-1, x=hush,y=hush-22",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "hush-3",
	}
	s := secretsOf(func(name string) string { return env[name] })
	got := s.hide("no Bearer hush-1, Bearer%20hush-1, hush-22, hush-1, hush, hush-3")
	if strings.Contains(got, "hush") || !strings.HasPrefix(got, "no ***") {
		t.Errorf("%q", got)
	}
	if s.malformed != "OTEL_EXPORTER_OTLP_TRACES_HEADERS" {
		t.Errorf("malformed: %q", s.malformed)
	}
	if got := s.hide(strings.Repeat("x", 5000)); len(got) > longest+4 {
		t.Errorf("%d bytes", len(got))
	}
}

// Neither what is wrong with the environment nor who says so shows what is in it.
func TestNewTellsNoSecrets(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "hush-token,authorization=%zzhush")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "nonsense")
	var out bytes.Buffer
	otel.SetLogger(funcr.New(func(_, args string) { out.WriteString(args) }, funcr.Options{})) // as on standard error
	tr, err := New(t.Context(), Options{Endpoint: "http://127.0.0.1:1", Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil || tr == nil {
		t.Fatal(tr, err)
	}
	tr.Stop()
	tr.Stop()
	for _, want := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "traces are sent", "127.0.0.1:1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "hush") {
		t.Errorf("the log repeats a header:\n%s", &out)
	}
	var none *Traces
	none.Stop()
	if none.Interceptors() != nil {
		t.Error("no traces, and interceptors")
	}
}
