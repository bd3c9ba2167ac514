package tests

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// composeFile is what these tests look at of docker-compose.yml, as docker-compose
// prints it.
type composeFile struct {
	Services map[string]struct {
		Image       string
		Build       any
		Command     []string
		Environment map[string]string
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		Healthcheck any
		Ports       []any
		Secrets     []struct{ Target string }
		Volumes     []any
	}
}

// TestCompose lets docker-compose check its file, and compares that with what it
// has to agree with.
func TestCompose(t *testing.T) {
	if testing.Short() {
		t.Skip("docker-compose takes a second to start")
	}
	compose := readCompose(t)

	t.Run("pinned versions", func(t *testing.T) {
		versions := moduleVersions(t)
		want := map[string]string{
			"temporal":           "temporalio/server:" + versions["go.temporal.io/server"],
			"temporal-schema":    "temporalio/admin-tools:" + versions["go.temporal.io/server"],
			"temporal-namespace": "temporalio/admin-tools:" + versions["go.temporal.io/server"],
			"temporal-ui":        "temporalio/ui:" + versions["github.com/temporalio/ui-server/v2"],
		}
		for service, image := range want {
			if got := compose.Services[service].Image; got != image {
				t.Errorf("image of %s: got %s, want %s as in go.mod", service, got, image)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(compose.Services)) {
			service := compose.Services[name]
			if service.Build == nil && !regexp.MustCompile(`:\d+\.\d+`).MatchString(service.Image) {
				t.Errorf("image of %s: %s has no version", name, service.Image)
			}
		}
		if from := "FROM golang:" + versions["go"] + " AS build\n"; !strings.Contains(readFile(t, "../Dockerfile"), from) {
			t.Errorf("Dockerfile: no line %q, the version in go.mod", from)
		}
	})

	// A service that waits for the health of another, which has no check, waits for ever.
	t.Run("start order", func(t *testing.T) {
		for name, service := range compose.Services {
			for other, dependency := range service.DependsOn {
				switch {
				case dependency.Condition == "service_healthy" && compose.Services[other].Healthcheck == nil:
					t.Errorf("%s waits for %s to be healthy, which has no health check", name, other)
				case dependency.Condition == "service_started":
					t.Errorf("%s does not wait until %s is ready", name, other)
				}
			}
		}
	})

	t.Run("search attributes", func(t *testing.T) {
		script := strings.Join(compose.Services["temporal-namespace"].Command, "\n")
		for name, kind := range workflows.SearchAttributes() {
			if flags := "--name " + name + " --type " + kind.String(); !strings.Contains(script, flags) {
				t.Errorf("temporal-namespace does not create the search attribute %s: no %q in\n%s", name, flags, script)
			}
		}
	})

	t.Run("loopback only", func(t *testing.T) {
		for name, service := range compose.Services {
			for _, port := range service.Ports {
				if s, ok := port.(string); !ok || !strings.HasPrefix(s, "127.0.0.1:") {
					t.Errorf("%s publishes %v to other hosts, without a password", name, port)
				}
			}
		}
	})

	t.Run("worker", func(t *testing.T) {
		worker := compose.Services["worker"]
		if got := worker.Environment["TEMPORAL_ADDRESS"]; got != "temporal:7233" {
			t.Errorf("TEMPORAL_ADDRESS: got %q", got)
		}
		parsed, err := config.Parse(config.DefaultFile, []byte(config.Example))
		if err != nil {
			t.Fatal(err)
		}
		if len(worker.Secrets) != 1 || worker.Secrets[0].Target != parsed.Replica.KeyFile {
			t.Errorf("secrets: got %v, want the key of the example configuration, %s", worker.Secrets, parsed.Replica.KeyFile)
		}
	})
}

// readCompose returns docker-compose.yml after docker-compose has checked it.
func readCompose(t *testing.T) composeFile {
	t.Helper()
	harness.Require(t, "docker-compose")
	command := exec.CommandContext(t.Context(), "docker-compose", "--file", "../docker-compose.yml", "config")
	// No variable of the one who runs the test may stand in for a default.
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("docker-compose config: %v\n%s", err, stderr.String())
	}
	var compose composeFile
	if err := yaml.Unmarshal(printed, &compose); err != nil {
		t.Fatal(err)
	}
	return compose
}

// moduleVersions returns the versions in go.mod by module, without their v, and
// that of Go itself as "go".
func moduleVersions(t *testing.T) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for line := range strings.Lines(readFile(t, "../go.mod")) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 {
			versions[fields[0]] = strings.TrimPrefix(fields[1], "v")
		}
	}
	return versions
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
