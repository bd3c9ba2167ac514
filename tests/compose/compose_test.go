package compose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/chef-sync/chef-sync/internal/config"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// composeFile is what these tests look at of docker-compose.yml, as docker-compose
// prints it.
type composeFile struct {
	Services map[string]composeService
	Secrets  map[string]struct{ File string }
	Volumes  map[string]any

	all map[string]map[string]any // the services with all that they have
}

type composeService struct {
	Image         string
	Build         any
	User          string
	Entrypoint    []string
	Command       []string
	Environment   map[string]string
	DependsOn     map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck   struct{ Test []string }
	Ports         []any
	Profiles      []string
	Secrets       []struct{ Source, Target string }
	Volumes       []any
	ContainerName string `yaml:"container_name"`
	Hostname      string
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
			"temporal":        "temporalio/server:" + versions["go.temporal.io/server"],
			"temporal-schema": "temporalio/admin-tools:" + versions["go.temporal.io/server"],
			"temporal-ui":     "temporalio/ui:" + versions["github.com/temporalio/ui-server/v2"],
		}
		for service, image := range want {
			if got := compose.Services[service].Image; got != image {
				t.Errorf("image of %s: got %s, want %s as in go.mod", service, got, image)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(compose.Services)) {
			service := compose.Services[name]
			if service.Build == nil && !regexp.MustCompile(`:v?\d+\.\d+`).MatchString(service.Image) {
				t.Errorf("image of %s: %s has no version", name, service.Image)
			}
		}
		if from := "FROM golang:" + versions["go"] + " AS build\n"; !strings.Contains(readFile(t, "../../Dockerfile"), from) {
			t.Errorf("Dockerfile: no line %q, the version in go.mod", from)
		}
	})

	// A service that waits for the health of another, which has no check, waits for ever.
	t.Run("start order", func(t *testing.T) {
		for name, service := range compose.Services {
			for other, dependency := range service.DependsOn {
				switch {
				case dependency.Condition == "service_healthy" && len(compose.Services[other].Healthcheck.Test) == 0:
					t.Errorf("%s waits for %s to be healthy, which has no health check", name, other)
				case dependency.Condition == "service_started":
					t.Errorf("%s does not wait until %s is ready", name, other)
				}
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
		parsed, err := config.Load("../../deploy/compose/chef-sync.rb")
		if err != nil {
			t.Fatal(err)
		}
		if len(worker.Secrets) != 1 || worker.Secrets[0].Target != parsed.Replica.KeyFile {
			t.Errorf("secrets: got %v, want the key of deploy/compose/chef-sync.rb, %s", worker.Secrets, parsed.Replica.KeyFile)
		}
		if !strings.Contains(readFile(t, "../../deploy/compose/prometheus.yml"), "port: "+strings.TrimPrefix(parsed.Watch.MetricsAddress, "0.0.0.0:")+"\n") {
			t.Errorf("deploy/compose/prometheus.yml asks at another port than %s", parsed.Watch.MetricsAddress)
		}
	})

	// What is one in a project cannot be had by two workers.
	t.Run("scale", func(t *testing.T) {
		worker := compose.Services["worker"]
		if worker.ContainerName != "" || worker.Hostname != "" || len(worker.Ports) > 0 {
			t.Errorf("two workers cannot have the container name %q, the host name %q and the ports %v", worker.ContainerName, worker.Hostname, worker.Ports)
		}
		for _, v := range worker.Volumes {
			mount, ok := v.(map[string]any)
			if !ok || mount["type"] == "volume" && mount["source"] != nil || mount["type"] == "bind" && mount["read_only"] != true {
				t.Errorf("two workers would write to the same volume %v", v)
			}
		}
	})

	// Whoever may see a container's settings would see a password in its variables.
	t.Run("secrets", func(t *testing.T) {
		used := map[string]bool{}
		for name, service := range compose.Services {
			for _, secret := range service.Secrets {
				used[secret.Source] = true
				if service.User == "" && name != "postgresql" { // which reads it before it gives up being root
					t.Errorf("%s reads %s as a user who is not its owner", name, secret.Source)
				}
			}
			for variable, value := range service.Environment {
				if regexp.MustCompile("PWD|PASSWORD|KEY").MatchString(variable) && !strings.HasPrefix(value, "/run/secrets/") {
					t.Errorf("%s has %s in a variable", name, variable)
				}
			}
		}
		for name, secret := range compose.Secrets {
			if !used[name] || secret.File == "" {
				t.Errorf("secret %s is used by no service, or comes from no file", name)
			}
		}
	})

	t.Run("profile", func(t *testing.T) {
		for name, service := range compose.Services {
			if want := name == "prometheus" || name == "grafana"; want != slices.Equal(service.Profiles, []string{"monitoring"}) {
				t.Errorf("%s has the profiles %v", name, service.Profiles)
			}
		}
	})

	t.Run("grafana", func(t *testing.T) { checkGrafana(t, compose) })

	t.Run("second replica", func(t *testing.T) {
		both := readCompose(t, "../../deploy/compose/second-replica.yml")
		one, two := both.Services["worker"], both.Services["worker-2"]
		if one.Secrets[0].Source == two.Secrets[0].Source || cmp.Equal(one.Volumes, two.Volumes) {
			t.Error("the second replica has the key or the configuration of the first one")
		}
		for _, service := range []string{"worker", "worker-2"} {
			delete(both.all[service]["secrets"].([]any)[0].(map[string]any), "source")
			delete(both.all[service]["volumes"].([]any)[0].(map[string]any), "source")
		}
		if diff := cmp.Diff(both.all["worker"], both.all["worker-2"]); diff != "" {
			t.Errorf("worker-2 is not as worker: %s", diff)
		}
	})
}

// checkGrafana compares what Grafana is told with where it finds it.
func checkGrafana(t *testing.T, compose composeFile) {
	var sources struct {
		Datasources []struct{ Type, UID, URL string }
	}
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	dir := "../../deploy/grafana/provisioning/"
	for file, into := range map[string]any{"datasources/prometheus.yml": &sources, "dashboards/chef-sync.yml": &providers} {
		if err := yaml.Unmarshal([]byte(readFile(t, dir+file)), into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	if len(sources.Datasources) != 1 || len(providers.Providers) != 1 {
		t.Fatalf("provisioning: %v, %v", sources, providers)
	}
	source := sources.Datasources[0]
	if source.URL != "http://prometheus:9090" || source.Type != "prometheus" || compose.Services["prometheus"].Image == "" {
		t.Errorf("data source %v, which there is not", source)
	}
	var dashboard struct {
		Templating struct {
			List []struct{ Name, Type, Query any }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "../../deploy/grafana/dashboards/chef-sync.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	if v := dashboard.Templating.List; len(v) == 0 || v[0].Type != "datasource" || v[0].Query != source.Type {
		t.Errorf("the dashboard does not ask a data source of type %s: %v", source.Type, v)
	}
	mounts := fmt.Sprint(compose.Services["grafana"].Volumes)
	for _, target := range []string{":/etc/grafana/provisioning:", ":" + providers.Providers[0].Options.Path + ":"} {
		if !strings.Contains(mounts, target) {
			t.Errorf("grafana has nothing at %s: %s", target, mounts)
		}
	}
}

// readCompose returns docker-compose.yml, and files that add to it, after
// docker-compose has checked them, with the services of all profiles.
func readCompose(t *testing.T, more ...string) composeFile {
	t.Helper()
	harness.Require(t, "docker-compose")
	var args []string
	for _, file := range append([]string{"../../docker-compose.yml"}, more...) {
		args = append(args, "--file", file)
	}
	command := exec.CommandContext(t.Context(), "docker-compose", append(args, "--profile", "monitoring", "config")...)
	// No variable of the one who runs the test may stand in for a default.
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("docker-compose config: %v\n%s", err, stderr.String())
	}
	var compose composeFile
	var all struct{ Services map[string]map[string]any }
	if err := errors.Join(yaml.Unmarshal(printed, &compose), yaml.Unmarshal(printed, &all)); err != nil {
		t.Fatal(err)
	}
	compose.all = all.Services
	return compose
}

// moduleVersions returns the versions in go.mod by module, without their v, and
// that of Go itself as "go".
func moduleVersions(t *testing.T) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for line := range strings.Lines(readFile(t, "../../go.mod")) {
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
