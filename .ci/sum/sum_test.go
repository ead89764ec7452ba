package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A stream as go test -json gives it: two tests that pass, one with a failed subtest, one skipped, a package that does not build, and one that ended by a panic.
const stream = `{"Action":"output","Package":"a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"pass","Package":"a","Test":"TestGood/sub"}
{"Action":"pass","Package":"a","Test":"TestGood"}
{"Action":"pass","Package":"a","Test":"FuzzSeeds"}
{"Action":"fail","Package":"a","Test":"TestBad/sub"}
{"Action":"fail","Package":"a","Test":"TestBad"}
{"Action":"output","Package":"a","Test":"TestSkip","Output":"    a_test.go:7: no broker here\n"}
{"Action":"skip","Package":"a","Test":"TestSkip"}
{"Action":"fail","Package":"a"}
{"ImportPath":"b","Action":"build-output","Output":"b.go:1:1: not Go\n"}
{"Action":"fail","Package":"b","FailedBuild":"b"}
{"Action":"output","Package":"c","Test":"TestPanic","Output":"panic: boom\n"}
{"Action":"fail","Package":"c"}
{"Action":"skip","Package":"d"}
`

func TestGoTest(t *testing.T) {
	g := newGoTest(false)
	if err := g.read(strings.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	check(t, g.res, 2, []string{"a TestBad", "b (see its output above)", "c (see its output above)"}, []string{"TestSkip: a_test.go:7: no broker here"})
}

func TestVitestReport(t *testing.T) {
	res := readText(t, `{"numPassedTests":2,"testResults":[
		{"name":"a.test.ts","status":"failed","assertionResults":[{"fullName":"a b","status":"failed"},{"fullName":"a c","status":"todo"}]},
		{"name":"broken.test.ts","status":"failed","assertionResults":[]}]}`)
	check(t, res, 2, []string{"a b", "broken.test.ts could not be run"}, []string{"a c: todo"})
}

func TestPlaywrightReport(t *testing.T) {
	res := readText(t, `{"stats":{"expected":3,"unexpected":1,"flaky":1,"skipped":1},"suites":[{"title":"page.spec.ts","suites":[{"title":"page","specs":[
		{"title":"draws","tests":[{"status":"unexpected"}]},{"title":"blinks","tests":[{"status":"flaky"}]},{"title":"good","tests":[{"status":"expected"}]},
		{"title":"later","tests":[{"status":"skipped","annotations":[{"type":"skip","description":"no GPU"}]}]}]}]}]}`)
	check(t, res, 3, []string{"page draws: unexpected", "page blinks: flaky"}, []string{"later: no GPU"})
}

func TestForeignReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(path, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if res, err := readReport(path, nil); err == nil {
		t.Errorf("an empty report counts as %+v", res)
	}
}

func TestTotal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	t.Setenv("TAPECAST_RESULTS", path)
	t.Setenv("CI", "")
	good, bad := result{Name: "good", Passed: 5}, result{Name: "bad", Passed: 1}
	bad.fail("a reason")
	for _, err := range []error{good.note(), skip("java", "none here"), bad.note()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	err := total(&out, path)
	if err == nil {
		t.Error("one check failed, and total is content")
	}
	for _, want := range []string{"FAILED bad: a reason\n", "SKIPPED java: none here\n", "\n6 passed, 1 failed, 1 skipped\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestSkipFailsInCI(t *testing.T) {
	t.Setenv("TAPECAST_RESULTS", "")
	t.Setenv("CI", "true")
	if err := skip("java", "none here"); err == nil {
		t.Error("a skip is taken with CI=true")
	}
}

func readText(t *testing.T, text string) result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := readReport(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func check(t *testing.T, res result, passed int, failures, skipped []string) {
	t.Helper()
	if res.Passed != passed || res.Failed != len(failures) {
		t.Errorf("%s, want %d passed and %d failed", res.counts(), passed, len(failures))
	}
	if got, want := strings.Join(res.Failures, "|"), strings.Join(failures, "|"); got != want {
		t.Errorf("failures\n%s\nwant\n%s", got, want)
	}
	if got, want := strings.Join(res.Skipped, "|"), strings.Join(skipped, "|"); got != want {
		t.Errorf("skips\n%s\nwant\n%s", got, want)
	}
}
