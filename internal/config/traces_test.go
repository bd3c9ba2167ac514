package config

import (
	"strings"
	"testing"
)

func TestTracesEndpoint(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                                 "",
		"http://127.0.0.1:4317":            "",
		"https://otel.example.com":         "",
		"https://otel.example.com:4317/":   "",
		"otel.example.com:4317":            "traces_endpoint is not the URL of a collector",
		"grpc://otel.example.com:4317":     "traces_endpoint is not the URL of a collector",
		"http://":                          "traces_endpoint is not the URL of a collector",
		"http://otel.example.com:99999":    "traces_endpoint is not the URL of a collector",
		"http://otel.example.com/v1/trace": "traces_endpoint goes on after its host and port",
		"http://otel.example.com?token=x":  "traces_endpoint goes on after its host and port",
		"http://me:hush@otel.example.com":  "traces_endpoint holds a user or a password",
	} {
		c, err := Parse("x.rb", []byte(Example+"\ntraces_endpoint '"+endpoint+"'\n"))
		switch {
		case err == nil && want == "":
			if got := c.Watch.TracesEndpoint; got != strings.TrimSuffix(endpoint, "/") {
				t.Errorf("%q is read as %q", endpoint, got)
			}
		case err == nil, want == "", !strings.Contains(err.Error(), want), strings.Contains(err.Error(), "hush"):
			t.Errorf("%q: %v; want %q", endpoint, err, want)
		}
	}
}
