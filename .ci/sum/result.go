package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// result is what one check came to.
type result struct {
	Name     string   `json:"name"`
	Passed   int      `json:"passed"`
	Failed   int      `json:"failed"`
	Failures []string `json:"failures,omitempty"` // names of what failed, or why the check itself did
	Skipped  []string `json:"skipped,omitempty"`  // a reason each
	Seconds  float64  `json:"seconds"`
}

// errFailed says nothing, so that the closing line stays the last one.
var errFailed = errors.New("")

func (r *result) fail(what string) {
	r.Failed++
	r.Failures = append(r.Failures, what)
}

func (r *result) counts() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", r.Passed, r.Failed, len(r.Skipped))
}

// note appends the result to the file of TAPECAST_RESULTS; without that file a failed check is an error at once.
func (r *result) note() error {
	path := os.Getenv("TAPECAST_RESULTS")
	if path == "" {
		if r.Failed > 0 {
			return fmt.Errorf("%s failed", r.Name)
		}
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// total prints a line per check, what failed and was skipped, and the sum as the last line.
func total(w io.Writer, path string) error {
	results, err := readResults(path)
	if err != nil {
		return err
	}
	var sum result
	fmt.Fprintln(w, "\n=== all checks")
	for _, r := range results {
		fmt.Fprintf(w, "%-32s %s in %.1f s\n", r.Name, r.counts(), r.Seconds)
		sum.Passed += r.Passed
		sum.Failed += r.Failed
		sum.Skipped = append(sum.Skipped, r.Skipped...)
	}
	for _, r := range results {
		for _, what := range r.Failures {
			fmt.Fprintf(w, "FAILED %s: %s\n", r.Name, what)
		}
		for _, why := range r.Skipped {
			fmt.Fprintf(w, "SKIPPED %s: %s\n", r.Name, why)
		}
	}
	fmt.Fprintln(w, sum.counts())
	if sum.Failed > 0 || sum.Passed == 0 {
		return errFailed
	}
	return nil
}

func readResults(path string) ([]result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("no check has noted a result: %w", err)
	}
	var results []result
	for line := range bytes.Lines(text) {
		var r result
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		results = append(results, r)
	}
	return results, nil
}
