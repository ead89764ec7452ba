// Command sum runs the checks of `make test`, each by its own runner, counts what they say, and prints one closing line for all of them.
//
//	sum run NAME [-report FILE] -- COMMAND...   run one check; a report makes it many (see below)
//	sum skip NAME REASON                        note a check that could not be made; with CI=true that is a failure
//	sum total                                   print what failed and was skipped, and the closing line; exit 1 if anything failed
//
// A command whose output is `go test -json` is recognised by its first word being go and an argument being -json; with -v, what tests
// say is printed as they say it, else only what failed tests said. FILE is the JSON report
// that vitest or playwright is told to write. Any other command counts as one check, passed when it exits with 0.
//
// The counts are kept, one JSON line each, in the file named by TAPECAST_RESULTS. Where that is set, run and skip exit with 0
// so that the checks that follow are made too; without it they exit as the command did.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := dispatch(ctx, os.Args[1:])
	stop()
	if err != nil {
		if !errors.Is(err, errFailed) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	switch {
	case len(args) >= 4 && args[0] == "run":
		return run(ctx, args[1:])
	case len(args) == 3 && args[0] == "skip":
		return skip(args[1], args[2])
	case len(args) == 1 && args[0] == "total":
		return total(os.Stdout, os.Getenv("TAPECAST_RESULTS"))
	}
	return errors.New("usage: sum run NAME [-report FILE] -- COMMAND... | sum skip NAME REASON | sum total")
}

// run makes the check named by args[0] and notes its result.
func run(ctx context.Context, args []string) error {
	name, report, rest := args[0], "", args[1:]
	if rest[0] == "-report" && len(rest) > 2 {
		report, rest = rest[1], rest[2:]
		// A report left by an earlier run must not speak for this one.
		if err := os.Remove(report); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if rest[0] != "--" || len(rest) < 2 {
		return fmt.Errorf("sum run %s: put -- before the command", name)
	}
	fmt.Printf("=== %s\n", name)
	begin := time.Now()
	res, err := execute(ctx, rest[1:], report)
	res.Name = name
	if err != nil && res.Failed == 0 {
		res.fail(err.Error())
	}
	if err == nil && res.Passed+res.Failed+len(res.Skipped) == 0 {
		res.fail("ran no test")
	}
	res.Seconds = time.Since(begin).Seconds()
	fmt.Printf("--- %s: %s in %.1f s\n", name, res.counts(), res.Seconds)
	return res.note()
}

// execute runs one command and counts by what it is known to print or write. The error is the command's own.
func execute(ctx context.Context, command []string, report string) (result, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that a script ends what it has started
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if command[0] == "go" && slices.Contains(command, "-json") {
		return runGoTest(cmd, slices.Contains(command, "-v"))
	}
	err := cmd.Run()
	if report != "" {
		return readReport(report, err)
	}
	if err != nil {
		return result{}, err
	}
	return result{Passed: 1}, nil
}

func skip(name, reason string) error {
	res := result{Name: name}
	if os.Getenv("CI") == "true" {
		fmt.Printf("=== %s\nFAILED %s: %s (with CI=true nothing may be skipped)\n", name, name, reason)
		res.fail(reason)
		return res.note()
	}
	fmt.Printf("=== %s\nSKIPPED %s: %s\n", name, name, reason)
	res.Skipped = []string{reason}
	return res.note()
}
