package compose

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// load reads docker-compose.yml as `docker compose` does: validated against the specification, with absolute paths.
func load(t *testing.T) *types.Project {
	t.Helper()
	opts, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithWorkingDirectory(root), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := opts.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// roles are the services that run our image, by name.
func roles(t *testing.T, project *types.Project) types.Services {
	t.Helper()
	ours := project.Services.Filter(func(s types.ServiceConfig) bool { return s.Build != nil })
	if len(ours) == 0 {
		t.Fatal("no service builds our image")
	}
	return ours
}

// help runs `tapecast ARGS... --help`; cobra reads all flags before it answers, so one that is not known, or has a bad value, is an error.
func help(t *testing.T, args ...string) (string, error) {
	t.Helper()
	binary, err := filepath.Abs(filepath.Join(root, "bin/tapecast"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	out, err := exec.CommandContext(t.Context(), binary, append(slices.Clone(args), "--help")...).CombinedOutput()
	return string(out), err
}

func TestCommandsAndFlags(t *testing.T) {
	for name, service := range roles(t, load(t)) {
		t.Run(name, func(t *testing.T) {
			if len(service.Command) == 0 {
				t.Fatal("no command")
			}
			out, err := help(t, service.Command...)
			if err != nil {
				t.Fatalf("tapecast %s: %v\n%s", strings.Join(service.Command, " "), err, out)
			}
			if usage := "tapecast " + service.Command[0]; !strings.Contains(out, usage) {
				t.Errorf("the help is not that of %q:\n%s", usage, out)
			}
			for variable := range service.Environment {
				flag, ok := strings.CutPrefix(variable, "TAPECAST_")
				flag = "--" + strings.ReplaceAll(strings.ToLower(flag), "_", "-")
				if !ok || !strings.Contains(out, flag) {
					t.Errorf("environment %s: tapecast %s has no flag %s", variable, service.Command[0], flag)
				}
			}
		})
	}
}

// Without these two, a binary that answers everything with its help would pass the test above.
func TestUnknownIsRefused(t *testing.T) {
	if out, err := help(t, "node", "--no-such-flag"); err == nil {
		t.Errorf("an unknown flag is taken:\n%s", out)
	}
	if out, err := help(t, "no-such-command"); err == nil {
		t.Errorf("an unknown command is taken:\n%s", out)
	}
}

func TestPathsExist(t *testing.T) {
	for name, service := range load(t).Services {
		var paths []string
		for _, v := range service.Volumes {
			if v.Type == types.VolumeTypeBind {
				paths = append(paths, v.Source)
			}
		}
		if b := service.Build; b != nil {
			paths = append(paths, b.Context, filepath.Join(b.Context, b.Dockerfile))
		}
		for _, path := range paths {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestPortsAreOnLoopback(t *testing.T) {
	published := 0
	for name, service := range load(t).Services {
		for _, port := range service.Ports {
			published++
			host, err := netip.ParseAddr(port.HostIP)
			if err != nil || !host.IsLoopback() {
				t.Errorf("%s publishes %s on %q, not on 127.0.0.1", name, port.Published, port.HostIP)
			}
		}
	}
	if published == 0 {
		t.Error("nothing is published")
	}
}

// The proxy's upstreams are services of ours that listen there.
func TestProxyUpstreams(t *testing.T) {
	services := load(t).Services
	upstreams := find(t, "deploy/proxy/Caddyfile", `\b(node[a-z0-9]*):(\d+)\b`)
	for _, u := range upstreams {
		service, ok := services[u[1]]
		if !ok {
			t.Errorf("the proxy sends to %s, which is no service", u[0])
		} else if !slices.Contains(service.Command, "0.0.0.0:"+u[2]) {
			t.Errorf("the proxy sends to %s, but its command is %v", u[0], service.Command)
		}
	}
	if nodes := len(services.Filter(func(s types.ServiceConfig) bool { return slices.Contains(s.Command, "node") })); nodes != len(upstreams) {
		t.Errorf("%d nodes, but the proxy knows %d", nodes, len(upstreams))
	}
}

// The tests run on the very Kafka that compose starts.
func TestKafkaVersion(t *testing.T) {
	tested := find(t, "deploy/kafka/pom.xml", `<kafka\.version>(.+)</kafka\.version>`)[0][1]
	if image := load(t).Services["kafka"].Image; image != "apache/kafka:"+tested {
		t.Errorf("image %s, but the tests run on %s", image, tested)
	}
}

func TestDockerfile(t *testing.T) {
	module := find(t, "go.mod", `(?m)^go (\d+\.\d+)`)[0][1]
	if image := find(t, "deploy/Dockerfile", `FROM golang:(\d+\.\d+)`)[0][1]; image != module {
		t.Errorf("the image builds with Go %s, go.mod asks for %s", image, module)
	}
	for _, line := range find(t, "deploy/Dockerfile", `(?m)^COPY ([^-\n].*) \S+$`) {
		for _, path := range strings.Fields(line[1]) {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: %v", line[0], err)
			}
		}
	}
}

// The build context leaves out what is not named, so every package that the binary is built from has to be.
func TestBuildContext(t *testing.T) {
	var kept []string
	for _, line := range find(t, "deploy/Dockerfile.dockerignore", `(?m)^!(\S+)$`) {
		kept = append(kept, line[1])
		if _, err := os.Stat(filepath.Join(root, line[1])); err != nil {
			t.Error(err)
		}
	}
	const module = "github.com/tapecast/tapecast/"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/tapecast")
	cmd.Dir = root
	deps, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, deps)
	}
	for _, pkg := range strings.Fields(string(deps)) {
		folder, ours := strings.CutPrefix(pkg, module)
		top, _, _ := strings.Cut(folder, "/")
		if ours && !slices.Contains(kept, top) {
			t.Errorf("Dockerfile.dockerignore leaves out %s", folder)
		}
	}
}

// find returns the matches of want in a file of the repository, at least one.
func find(t *testing.T, path, want string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(want).FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Fatalf("%s: nothing matches %s", path, want)
	}
	return found
}
