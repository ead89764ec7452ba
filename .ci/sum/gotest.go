package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// event is a line of `go test -json`; the fields are those of cmd/test2json and of `go build -json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// goTest counts the events of one go test. Tests count once, whatever their subtests; a skip counts at any depth.
type goTest struct {
	verbose bool // print what the tests say at once
	res     result
	output  map[string][]string // what a running test has printed, by package and test
	failed  map[string]bool     // packages in which a test has failed
}

func newGoTest(verbose bool) *goTest {
	return &goTest{verbose: verbose, output: map[string][]string{}, failed: map[string]bool{}}
}

func runGoTest(cmd *exec.Cmd, verbose bool) (result, error) {
	cmd.Stdout = nil
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	t := newGoTest(verbose)
	readErr := t.read(pipe)
	if err := cmd.Wait(); err != nil {
		return t.res, err
	}
	return t.res, readErr
}

func (t *goTest) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			t.see(e)
		} else if line != "" {
			fmt.Print(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *goTest) see(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Print(e.Output)
	case "output":
		t.output[key] = append(t.output[key], e.Output)
		if t.verbose {
			fmt.Print(e.Output)
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.seePackage(e)
		} else {
			t.seeTest(e)
		}
		delete(t.output, key)
	}
}

func (t *goTest) seeTest(e event) {
	key := e.Package + " " + e.Test
	top := !strings.Contains(e.Test, "/")
	switch {
	case e.Action == "skip":
		t.res.Skipped = append(t.res.Skipped, e.Test+": "+reason(t.output[key]))
	case e.Action == "pass" && top:
		t.res.Passed++
	case e.Action == "fail":
		t.print(t.output[key])
		t.failed[e.Package] = true
		if top {
			t.res.fail(e.Package + " " + e.Test)
		}
	}
}

// seePackage prints a package's line. A package can fail without a failed test: it does not build, TestMain found a goroutine that was left, or the time was over.
func (t *goTest) seePackage(e event) {
	out := t.output[e.Package+" "]
	switch e.Action {
	case "fail":
		t.printUnfinished(e.Package)
		t.print(out)
		if !t.failed[e.Package] {
			t.res.fail(e.Package + " (see its output above)")
		}
	case "pass":
		fmt.Printf("ok  \t%s\t%.1fs\n", e.Package, e.Elapsed)
	}
}

// print shows what was kept back.
func (t *goTest) print(output []string) {
	if !t.verbose {
		fmt.Print(strings.Join(output, ""))
	}
}

// printUnfinished prints what the tests wrote that were still running when their package ended, such as a panic.
func (t *goTest) printUnfinished(pkg string) {
	for key, out := range t.output {
		if strings.HasPrefix(key, pkg+" ") && key != pkg+" " {
			t.print(out)
		}
	}
}

// reason is what a skipped test said, without the frame that go test puts around it.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}
