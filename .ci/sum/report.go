package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// report holds the fields, of a vitest or of a playwright JSON report, that tell the counts. One has stats, the other testResults.
type report struct {
	Stats          *struct{ Expected int }
	Suites         []suite
	NumPassedTests int
	TestResults    []testFile
}

type testFile struct {
	Name, Status     string
	AssertionResults []assertion
}

type assertion struct{ FullName, Status string }

type suite struct {
	Title  string
	Suites []suite
	Specs  []struct {
		Title string
		Tests []struct {
			Status      string
			Annotations []struct{ Type, Description string }
		}
	}
}

// readReport counts what the report says; runErr is how its runner ended.
func readReport(path string, runErr error) (result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if runErr != nil {
			return result{}, runErr
		}
		return result{}, fmt.Errorf("the runner wrote no report: %w", err)
	}
	var rep report
	if err := json.Unmarshal(text, &rep); err != nil {
		return result{}, fmt.Errorf("%s: %w", path, err)
	}
	var res result
	switch {
	case rep.Stats != nil:
		res.Passed = rep.Stats.Expected
		for _, s := range rep.Suites {
			s.walk(&res)
		}
	case rep.TestResults != nil:
		res.Passed = rep.NumPassedTests
		for _, file := range rep.TestResults {
			file.count(&res)
		}
	default:
		return result{}, fmt.Errorf("%s: neither a vitest nor a playwright report", path)
	}
	return res, runErr
}

// count notes failures and skips. A file that could not even be loaded has failed without a failed test.
func (f testFile) count(res *result) {
	before := res.Failed
	for _, a := range f.AssertionResults {
		switch a.Status {
		case "failed":
			res.fail(a.FullName)
		case "pending", "skipped", "todo", "disabled":
			res.Skipped = append(res.Skipped, a.FullName+": "+a.Status)
		}
	}
	if f.Status == "failed" && res.Failed == before {
		res.fail(f.Name + " could not be run")
	}
}

// walk notes failures and skips. A flaky test, one that passed when tried again, has failed.
func (s suite) walk(res *result) {
	for _, inner := range s.Suites {
		inner.walk(res)
	}
	for _, spec := range s.Specs {
		for _, t := range spec.Tests {
			switch t.Status {
			case "unexpected", "flaky":
				res.fail(s.Title + " " + spec.Title + ": " + t.Status)
			case "skipped":
				why := "no reason given"
				for _, a := range t.Annotations {
					if a.Type == "skip" && a.Description != "" {
						why = a.Description
					}
				}
				res.Skipped = append(res.Skipped, spec.Title+": "+why)
			}
		}
	}
}
