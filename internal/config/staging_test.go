package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestStagingURL(t *testing.T) {
	for _, c := range []struct{ url, problem, notice string }{
		{url: "file:///srv/staging"},
		{url: "s3://bucket"},
		{url: "s3://bucket?region=eu-central-1&prefix=chef-sync/"},
		{url: "s3://bucket?endpoint=https://s3.example.com&use_path_style=true"},
		{url: "s3://bucket?endpoint=http://127.0.0.1:9000"},
		{url: "s3://bucket?endpoint=http://s3.example.com", notice: "without encryption"},
		{url: "s3://", problem: "no bucket"},
		{url: "s3:///bucket", problem: "no bucket"},
		{url: "s3://bucket/folder", problem: "its prefix"},
		{url: "s3://AKIA:hunter2@bucket", problem: "holds a user or a key"},
		{url: "s3://AKIA:hunter2@bucket?endpoint=http://s3.example.com", problem: "holds a user or a key"},
		{url: "s3://bucket?endpoint=http://[x", problem: "endpoint of staging is no URL"},
		{url: "gs://bucket", problem: "no driver for"},
	} {
		text := fmt.Sprintf("master 'https://a.example.com/organizations/x'\nreplica 'https://b.example.com/organizations/x'\nstaging '%s'\n", c.url)
		cfg, err := Parse("chef-sync.rb", []byte(text))
		var problems Problems
		errors.As(err, &problems)
		got := fmt.Sprint(problems)
		if c.problem == "" && strings.Contains(got, "staging") || !strings.Contains(strings.ReplaceAll(got, "has a driver for", "has no driver for"), c.problem) {
			t.Errorf("%s: problems %v; want %q", c.url, got, c.problem)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: the problem repeats a key: %s", c.url, got)
		}
		notices := ""
		if cfg != nil {
			notices = fmt.Sprint(cfg.Notices)
		}
		if strings.Contains(notices, "staging") != (c.notice != "") || !strings.Contains(notices, c.notice) {
			t.Errorf("%s: notices %s; want %q", c.url, notices, c.notice)
		}
	}
}

// TestShownStaging: only what is known to be no secret is shown.
func TestShownStaging(t *testing.T) {
	for in, want := range map[string]string{
		"file:///srv/staging":                          "file:///srv/staging",
		"s3://b?region=eu-central-1&prefix=chef-sync/": "s3://b?region=eu-central-1&prefix=chef-sync/",
		"s3://b?endpoint=https%3A%2F%2Fs3.example.com": "s3://b?endpoint=https%3A%2F%2Fs3.example.com",
		"s3://b?region=x&secret_access_key=hush":       "s3://b?region=x&secret_access_key=(hidden)",
		"s3://b?token=hush&profile=p":                  "s3://b?token=(hidden)&profile=p",
		"s3://b?endpoint=https://me:hush@s3.example.c": "s3://b?endpoint=(hidden)",
		"s3://b?endpoint=https://s3.example.c?k=hush":  "s3://b?endpoint=(hidden)",
		"s3://b?hush":                            "s3://b?(hidden)",
		"s3://b?%72egion=hush&region=%zz":        "s3://b?%72egion=(hidden)&region=(hidden)",
		"s3://me:hush@b?region=x":                "s3://(hidden)",
		"s3://b:hush":                            "(hidden)",
		"mem://":                                 "mem://",
		"file:///srv/staging?secret_key_path=/x": "file:///srv/staging?secret_key_path=(hidden)",
	} {
		if got := ShownStaging(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
