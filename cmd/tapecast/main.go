// Command tapecast is the whole of Tapecast: each role of it is a subcommand, and
// demo runs them all in one process. This package is wiring, flags and
// configuration; what the roles do is in the packages that it joins.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the command line and returns the process's exit code. It ends cleanly,
// with 0, when ctx does.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return 0
	}
	fmt.Fprintln(stderr, "tapecast:", err)
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tapecast",
		Short: "Streams a market to browsers and bots",
		Long: `Tapecast streams a market to browsers and bots, over WebSocket, SSE, long poll and
short poll. A simulated market writes its tape to Kafka, nodes fan it out, and a
client that is slow loses resolution, never truth.

Try it:          tapecast demo
Watch it:        tapecast tail AAPL MSFT
Run it apart:    tapecast feed, tapecast bars, tapecast node

Each flag can be set in the environment too: --admin-listen is
TAPECAST_ADMIN_LISTEN. A flag goes before the environment, the environment before
the default.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd.Flags()) },
	}
	root.AddCommand(newDemo(), newFeed(), newBars(), newNode(), newTail(), newBench(), newVersion())
	return root
}
