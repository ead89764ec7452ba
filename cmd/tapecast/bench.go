package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tapecast/tapecast/fanout/bench"
)

// benchConfig is the configuration of bench.
type benchConfig struct {
	options   bench.Options
	each      string
	slow      string
	reconnect string
	json      bool
}

func newBench() *cobra.Command {
	var c benchConfig
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Load a node, or another server, with thousands of clients and measure it",
		Long: `bench loads a node with thousands of clients, over WebSocket, SSE or polls, and
measures what that costs: the server's CPU time per delivered tick and memory per
connection, and the latency from a tick's own time to its receipt. While it loads,
it checks that no client misses a tick or gets one twice; exit code 1 says that one
did. All clients run in one goroutine: give it a core of its own (taskset).

--pid or --admin says where the server's CPU time and memory can be seen. Latency
needs both clocks to agree: on one machine they do.

--peer-url measures another server's WebSocket (ws://), event stream (http://) or
bare stream of WebSocket frames (tcp://). {syms} in the address is replaced by the
client's symbols; --peer-subscribe is sent after the handshake.`,
		Example: `  tapecast bench --clients 1000 --pid $(pgrep -n tapecast)
  tapecast bench --transport sse --clients 500 --each all --admin http://127.0.0.1:8081
  tapecast bench --clients 2000 --slow 200@2kB --stalled 100 --reconnect 100@1s --duration 60s
  tapecast bench --peer-url ws://127.0.0.1:9001 --symbols EURUSD,EURGBP --peer-ts t \
      --peer-subscribe '{"op":"sub","ch":"{sym}","id":{n}}' --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	c.bind(cmd)
	return cmd
}

func (c *benchConfig) bind(cmd *cobra.Command) {
	flags, o := cmd.Flags(), &c.options
	flags.StringVar(&o.URL, "url", "http://127.0.0.1:8080", "the node")
	flags.StringVar(&o.Transport, "transport", "ws", "ws, sse, poll or short-poll")
	flags.StringVar(&o.PeerURL, "peer-url", "", "another server instead: ws://, http:// or tcp://")
	flags.StringArrayVar(&o.PeerSubscribe, "peer-subscribe", nil, `text to send it after the handshake, in order; one per symbol if {sym} is in it; {syms}: all with commas, {n}: running number; \r and \n as in Go`)
	flags.StringVar(&o.PeerField, "peer-ts", "", "field of its JSON with the time a tick was sent, s to ns since 1970 (default: its messages are like a node's)")
	flags.StringSliceVar(&o.Symbols, "symbols", nil, "what there is to watch (default all that the node has)")
	flags.StringVar(&c.each, "each", "1", "how many of them a client watches, the next client the next ones; or all")
	flags.StringSliceVar(&o.Channels, "channels", []string{"trades", "quotes"}, "trades, quotes")
	flags.StringVar(&o.Resolution, "resolution", "raw", "raw, 100ms, 250ms, 1s or 5s")
	flags.IntVar(&o.Clients, "clients", 1000, "clients in all")
	flags.StringVar(&c.slow, "slow", "", "how many of them read slowly, and how slowly: 100@2kB (per second)")
	flags.IntVar(&o.Stalled, "stalled", 0, "how many of them read nothing")
	flags.StringVar(&c.reconnect, "reconnect", "", "how many of them cut their connection and resume, and how often: 50@1s")
	flags.DurationVar(&o.PollEvery, "poll-every", time.Second, "pause between two short polls")
	flags.DurationVar(&o.Warmup, "warmup", 2*time.Second, "time between the last client's coming and the measurement")
	flags.DurationVar(&o.Duration, "duration", 10*time.Second, "how long to measure")
	flags.IntVar(&o.Checked, "check", 10, "steady, slow and reconnecting clients that get the full check with sums, so many each; all get the one for holes and overlaps")
	flags.Float64Var(&o.Expect, "expect", 0, "ticks/s that steady clients should get in all (default: as the furthest client)")
	flags.IntVar(&o.PID, "pid", 0, "the server's process, on this machine")
	flags.StringVar(&o.Admin, "admin", "", "where the server's /metrics are, as http://127.0.0.1:8081")
	flags.BoolVar(&c.json, "json", false, "print the result as JSON")
}

func (c *benchConfig) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := c.parse(); err != nil {
		return err
	}
	tell, end := progressTo(stderr)
	c.options.Progress = tell
	b, err := bench.New(c.options)
	if err != nil {
		return err
	}
	r, err := b.Run(ctx)
	end()
	if err != nil {
		return err
	}
	if c.json {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r)
	} else {
		_, err = fmt.Fprint(stdout, r)
	}
	if c.options.PeerURL != "" {
		return err // how others tile is for the reader to judge
	}
	return errors.Join(err, r.Err())
}

// parse reads the flags that are texts.
func (c *benchConfig) parse() error {
	o := &c.options
	if o.PeerURL != "" {
		o.URL = ""
	}
	for i, text := range o.PeerSubscribe {
		o.PeerSubscribe[i] = strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(text)
	}
	if o.Each = bench.All; c.each != "all" {
		n, err := strconv.Atoi(c.each)
		if err != nil || n < 1 {
			return fmt.Errorf("--each %q must be a number from 1, or all", c.each)
		}
		o.Each = n
	}
	if c.slow != "" {
		n, rate, err := split(c.slow, parseBytes)
		if err != nil {
			return fmt.Errorf("--slow %q must be as 100@2kB: %w", c.slow, err)
		}
		o.Slow, o.SlowRate = n, rate
	}
	if c.reconnect != "" {
		n, every, err := split(c.reconnect, time.ParseDuration)
		if err != nil {
			return fmt.Errorf("--reconnect %q must be as 50@1s: %w", c.reconnect, err)
		}
		o.Reconnecting, o.ReconnectEvery = n, every
	}
	return nil
}

// split reads COUNT@VALUE.
func split[T any](text string, parse func(string) (T, error)) (n int, value T, err error) {
	count, rest, found := strings.Cut(text, "@")
	if !found {
		return 0, value, errors.New("it has no @")
	}
	if n, err = strconv.Atoi(count); err != nil || n < 1 {
		return 0, value, fmt.Errorf("%q is no number of clients", count)
	}
	value, err = parse(rest)
	return n, value, err
}

// parseBytes reads a number of bytes as 500, 500B, 2kB or 1MB.
func parseBytes(text string) (int, error) {
	unit := 1
	number := strings.TrimSuffix(text, "B")
	for suffix, of := range map[string]int{"k": 1000, "M": 1_000_000} {
		if rest, ok := strings.CutSuffix(number, suffix); ok {
			number, unit = rest, of
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1_000_000_000/unit {
		return 0, fmt.Errorf("%q is no number of bytes", text)
	}
	return n * unit, nil
}

// progressTo returns what tells of progress: a line that is written over in a
// terminal and gone at the end, else a line every five seconds and for each phase.
func progressTo(w io.Writer) (tell func(bench.Progress), end func()) {
	f, isFile := w.(*os.File)
	if isFile && term.IsTerminal(int(f.Fd())) {
		return func(p bench.Progress) { fmt.Fprintf(w, "\r\x1b[K%s", progressLine(p)) }, func() { fmt.Fprint(w, "\r\x1b[K") }
	}
	n, phase := 0, ""
	return func(p bench.Progress) {
		if n++; n%5 == 0 || p.Phase != phase {
			fmt.Fprintln(w, progressLine(p))
		}
		phase = p.Phase
	}, func() {}
}

func progressLine(p bench.Progress) string {
	line := fmt.Sprintf("%s: %d of %d clients", p.Phase, p.Ready, p.Clients)
	if p.Left > 0 {
		line += fmt.Sprintf(", %.0f s left", p.Left.Seconds())
	}
	if p.Rate > 0 {
		line += fmt.Sprintf(", %.0f ticks/s", p.Rate)
	}
	if p.Lost > 0 {
		line += fmt.Sprintf(", %d lost", p.Lost)
	}
	return line
}
