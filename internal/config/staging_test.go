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
