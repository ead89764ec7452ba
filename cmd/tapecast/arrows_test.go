package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tapecast/tapecast/"

// arrows says, for each package of ours, which others of ours it may import. Each may import itself; a package that is not here may not exist.
// (.golangci.yml says the same while one writes, with the reasons; this proves it, for packages as they are built.)
var arrows = map[string][]string{
	"feed":                {},
	"feed/market":         {"feed", "charts"},
	"feed/feeder":         {"feed", "feed/market", "charts"},
	"feed/importer":       {"feed", "charts"},
	"feed/kafka":          {"feed"},
	"feed/kafka/embedded": {"feed", "feed/kafka"},
	"charts":              {"feed"},
	"charts/keeper":       {"feed", "charts"},
	"fanout":              {"feed", "charts"},
	"fanout/wire":         {"feed", "charts", "fanout"},
	"fanout/history":      {"feed", "charts", "fanout"},
	"fanout/socket":       {"feed", "charts", "fanout"},
	"fanout/access":       {"feed", "charts", "fanout"},
	"fanout/alpaca":       {"feed", "charts", "fanout"},
	"fanout/binance":      {"feed", "charts", "fanout"},
	"fanout/udf":          {"feed", "charts", "fanout"},
	"fanout/server": {
		"feed", "charts", "fanout", "fanout/wire", "fanout/history", "fanout/socket", "fanout/access",
		"fanout/alpaca", "fanout/binance", "fanout/udf",
	},
	"fanout/client": {"feed", "charts"},
	"fanout/bench":  {"feed", "charts", "fanout/client"},
	"ui":            {},
	"deploy/kafka":  {"feed/kafka"},

	"deploy/bench/publish":  {"feed", "fanout/wire"},
	"deploy/bench/run":      {"fanout/bench"},
	"deploy/bench/tapecast": {"feed", "fanout", "fanout/wire", "fanout/socket", "fanout/server"},

	"cmd/tapecast": {
		"feed", "feed/market", "feed/feeder", "feed/importer", "feed/kafka", "feed/kafka/embedded", "charts", "charts/keeper",
		"fanout", "fanout/wire", "fanout/history", "fanout/socket", "fanout/access", "fanout/server", "fanout/client", "fanout/bench", "ui",
	},
}

// testArrows are what tests may import besides: neighbours that they are tried with.
var testArrows = map[string][]string{
	"feed/kafka":          {"feed/kafka/embedded", "deploy/kafka"},
	"feed/kafka/embedded": {"charts"},
	"fanout":              {"fanout/wire"},
	"fanout/socket":       {"fanout/wire"},
	"fanout/history":      {"fanout/wire"},
	"fanout/server":       {"fanout/client"},
	"fanout/bench":        {"fanout", "fanout/wire", "fanout/socket", "fanout/server"},
	"cmd/tapecast":        {"deploy/kafka"},
}

// owners are the libraries that one package keeps from all others, and those who may import them; a name that ends in _test may in tests alone.
var owners = map[string][]string{
	"github.com/segmentio/kafka-go": {"feed/kafka", "deploy/kafka", "cmd/tapecast_test"},
	"github.com/twmb/franz-go":      {"feed/kafka/embedded", "feed/kafka_test"},
	"github.com/gofiber":            {"fanout/server"},
	"github.com/valyala/fasthttp":   {"fanout/server"},
	"github.com/fasthttp/websocket": {"fanout/server"},
}

// listed is a package as `go list -json` gives it.
type listed struct {
	ImportPath                               string
	Imports, TestImports, XTestImports, Deps []string
}

func TestArrows(t *testing.T) {
	packages := list(t)
	if len(packages) < 3 {
		t.Fatalf("go list found %d packages", len(packages))
	}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, wrong := range violations(name, p.Imports, false) {
			t.Error(wrong)
		}
		for _, wrong := range violations(name, slices.Concat(p.TestImports, p.XTestImports), true) {
			t.Error(wrong)
		}
	}
}

// What must not even be reached by way of others.
func TestPureDependencies(t *testing.T) {
	never := map[string][]string{
		"feed":          {module, "net"},
		"charts":        {"net"},
		"feed/market":   {"net"},
		"fanout":        {"github.com/segmentio/kafka-go", "github.com/gofiber", "github.com/valyala/fasthttp"},
		"fanout/client": {"github.com/segmentio/kafka-go", "github.com/gofiber", "github.com/valyala/fasthttp"},
		"fanout/server": {"github.com/segmentio/kafka-go", "github.com/twmb/franz-go"},
		"feed/kafka":    {"github.com/gofiber", "github.com/valyala/fasthttp", "github.com/twmb/franz-go"},
	}
	for _, p := range list(t) {
		for _, forbidden := range never[strings.TrimPrefix(p.ImportPath, module)] {
			if i := slices.IndexFunc(p.Deps, func(dep string) bool { return within(dep, forbidden) }); i >= 0 {
				t.Errorf("%s depends on %s, by whatever way", p.ImportPath, p.Deps[i])
			}
		}
	}
}

// The rules above hold only if they can be broken.
func TestArrowsAreSharp(t *testing.T) {
	for _, c := range []struct {
		from, imports string
		test, wrong   bool
	}{
		{"feed", module + "charts", true, true},
		{"charts", module + "feed", false, false},
		{"fanout", module + "feed/kafka", false, true},
		{"fanout", module + "feed/kafka", true, true},
		{"fanout/alpaca", module + "fanout/binance", false, true},
		{"fanout/client", module + "fanout", false, true},
		{"fanout/client", module + "feed", false, false},
		{"feed/kafka", "github.com/segmentio/kafka-go/protocol", false, false},
		{"charts/keeper", "github.com/segmentio/kafka-go", false, true},
		{"cmd/tapecast", "github.com/segmentio/kafka-go", false, true},
		{"cmd/tapecast", "github.com/segmentio/kafka-go", true, false},
		{"fanout/socket", "github.com/gofiber/fiber/v2", false, true},
		{"feed/kafka", "github.com/twmb/franz-go/pkg/kfake", true, false},
		{"fanout/util", module + "feed", false, true},
	} {
		if wrong := violations(c.from, []string{c.imports}, c.test); (len(wrong) > 0) != c.wrong {
			t.Errorf("%s imports %s (test: %v): %q", c.from, c.imports, c.test, wrong)
		}
	}
}

// violations says which imports of a package of ours go against the arrows.
func violations(name string, imports []string, test bool) []string {
	allowed, known := arrows[name]
	if !known {
		return []string{name + " has no place in arrows: give it one"}
	}
	who := name
	if test {
		allowed = slices.Concat(allowed, testArrows[name])
		who += "_test"
	}
	var wrong []string
	for _, path := range imports {
		ours, isOurs := strings.CutPrefix(path, module)
		if isOurs && ours != name && !slices.Contains(allowed, ours) {
			wrong = append(wrong, who+" imports "+ours+", against the arrows")
		}
		for library, owner := range owners {
			if within(path, library) && !slices.Contains(owner, name) && !slices.Contains(owner, who) {
				wrong = append(wrong, who+" imports "+path+", which is for "+strings.Join(owner, ", ")+" alone")
			}
		}
	}
	return wrong
}

// within says whether an import path is that of a module or of a package in it.
func within(path, of string) bool {
	of = strings.TrimSuffix(of, "/")
	return path == of || strings.HasPrefix(path, of+"/")
}

// list reads all packages of the module.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", module+"...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.ImportPath, "/node_modules/") {
			packages = append(packages, p)
		}
	}
}
