package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tapecast/tapecast/fanout/client"
	"github.com/tapecast/tapecast/feed"
)

// tailConfig is the configuration of tail.
type tailConfig struct {
	urls       []string
	transport  string
	channels   []string
	resolution string
	slow       string
	maxRate    int
	maxBytes   int
	cursor     string
	count      int
	log        logConfig
}

func newTail() *cobra.Command {
	var c tailConfig
	cmd := &cobra.Command{
		Use:   "tail SYMBOL… | '*'",
		Short: "Print what a node streams: a line a tick, JSON when piped",
		Long: `tail prints what a node streams: a line a tick in a terminal, the messages' JSON,
one a line, when its output is piped. It goes on over cuts and restarts without a
hole or a repeat, checks that (see the last line, on standard error), and ends
with Ctrl-C; exit code 1 says that the check failed.

On a slow line the node merges what it sends, quotes first, rather than fall behind,
and takes that back once the line keeps up; a line that begins with · tells each
change, a resolution message in the JSON.`,
		Example: `  tapecast tail AAPL MSFT
  tapecast tail '*' --channels trades --transport sse
  tapecast tail BTCUSDT --channels bars:1m | jq .c
  tapecast tail AAPL --resolution 1s
  tapecast tail '*' --max-bytes 4000`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := c.log.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return c.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr(), log)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&c.urls, "url", []string{"http://127.0.0.1:8080"}, "nodes to connect to; one that fails is followed by the next")
	flags.StringVar(&c.transport, "transport", "ws", "ws, sse, poll or short-poll")
	flags.StringSliceVar(&c.channels, "channels", []string{"trades", "quotes"}, "trades, quotes, bars:1m, …")
	flags.StringVar(&c.resolution, "resolution", "raw", "the finest wanted: raw, or ticks merged per 100ms, 250ms, 1s or 5s")
	flags.StringVar(&c.slow, "slow", "adapt", "what becomes of a slow line: adapt (merged data) or drop (cut, then resumed)")
	flags.IntVar(&c.maxRate, "max-rate", 0, "messages a second at the most, merged as needed; streams only (default any)")
	flags.IntVar(&c.maxBytes, "max-bytes", 0, "bytes a second at the most, merged as needed; streams only (default any)")
	flags.StringVar(&c.cursor, "cursor", "", "where to go on from, a cursor of an earlier message (default now)")
	flags.IntVar(&c.count, "count", 0, "end after so many messages (default never)")
	c.log.bind(flags, "warn")
	return cmd
}

// errEnough ends a tail that was asked for a number of messages.
var errEnough = errors.New("enough")

func (c *tailConfig) run(ctx context.Context, symbols []string, stdout, stderr io.Writer, log *slog.Logger) error {
	transport, err := client.ParseTransport(c.transport)
	if err != nil {
		return fmt.Errorf("--transport: %w", err)
	}
	if len(c.urls) == 0 {
		return errors.New("--url must name a node")
	}
	if poll := transport == client.LongPoll || transport == client.ShortPoll; poll && (c.maxRate != 0 || c.maxBytes != 0) {
		return errors.New("--max-rate and --max-bytes are for streams: choose --transport ws or sse")
	}
	cl, err := client.New(client.Options{
		Base: c.urls[0], Bases: c.urls[1:], Transport: transport, Symbols: symbols,
		Channels: c.channels, Cursor: c.cursor, Log: log,
		Resolution: c.resolution, Slow: c.slow, MaxRate: c.maxRate, MaxBytes: c.maxBytes,
	})
	if err != nil {
		return err
	}
	var tiling client.Tiling
	out := newPrinter(stdout)
	n := 0
	err = cl.Run(ctx, func(m *client.Message) error {
		tiling.Observe(m)
		out.print(m)
		if n++; n == c.count {
			return errEnough
		}
		return out.w.Flush()
	})
	if flushed := out.w.Flush(); err == nil {
		err = flushed
	}
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	report := tiling.Report()
	fmt.Fprintf(stderr, "%d messages over %s; tiling: %d holes, %d overlaps, %d gaps\n",
		cl.Stats().Messages, c.transport, report.Holes, report.Overlaps, report.Gaps)
	return report.Err()
}

// printer writes messages for people, or as JSON.
type printer struct {
	w    *bufio.Writer
	json bool
	line []byte
}

func newPrinter(w io.Writer) *printer {
	f, isFile := w.(*os.File)
	return &printer{w: bufio.NewWriter(w), json: !isFile || !term.IsTerminal(int(f.Fd()))}
}

// print writes one message. What the writer can't take is told by its Flush.
func (p *printer) print(m *client.Message) {
	p.line = p.line[:0]
	if p.json {
		p.line = append(p.line, m.Raw...)
	} else {
		p.line = appendLine(p.line, m)
	}
	if len(p.line) == 0 {
		return
	}
	p.line = append(p.line, '\n')
	_, _ = p.w.Write(p.line)
}

// appendLine appends a message as a line for people; messages that say nothing to
// them have none.
func appendLine(dst []byte, m *client.Message) []byte {
	switch m.Type {
	case client.TypeSnapshot:
		if m.Trade == nil {
			return dst
		}
		return appendLine(dst, m.Trade)
	case client.TypeTrade:
		dst = appendHead(dst, m, "trade")
		dst = fmt.Appendf(dst, "%12s x %-10s", price(m, m.Price), size(m, m.Size))
		return append(dst, map[feed.Side]string{feed.Buy: " buy", feed.Sell: " sell"}[m.Side]...)
	case client.TypeQuote:
		dst = appendHead(dst, m, "quote")
		dst = fmt.Appendf(dst, "%12s x %-10s %12s x %-10s", price(m, m.Bid), size(m, m.BidSize), price(m, m.Ask), size(m, m.AskSize))
		return appendMerged(dst, "quotes", m.Seq-m.First+1)
	case client.TypeAgg:
		return appendMerged(appendBar(appendHead(dst, m, "agg"), m), "trades", m.Bar.Count)
	case client.TypeBar:
		return appendBar(appendHead(dst, m, "bar"), m)
	case client.TypeResolution:
		return appendResolution(dst, m)
	case client.TypeStatus:
		return fmt.Appendf(appendHead(dst, m, "status"), "%s %s", m.State, m.Reason)
	case client.TypeGap:
		return fmt.Appendf(appendHead(dst, m, "gap"), "%s %d to %d: %s", m.Channel, m.First, m.Seq, m.Reason)
	case client.TypeError:
		return fmt.Appendf(dst, "error: %s %s", m.Code, m.Text)
	default:
		return dst
	}
}

// appendBar begins with the last price and the volume, where a trade has its own.
func appendBar(dst []byte, m *client.Message) []byte {
	return fmt.Appendf(dst, "%12s x %-10s o %-10s h %-10s l %-10s", price(m, m.Bar.Close), size(m, m.Bar.Volume),
		price(m, m.Bar.Open), price(m, m.Bar.High), price(m, m.Bar.Low))
}

func appendMerged(dst []byte, what string, n uint64) []byte {
	if n < 2 {
		return dst
	}
	return fmt.Appendf(dst, " %d %s", n, what)
}

// appendResolution says how finely data comes from now on.
func appendResolution(dst []byte, m *client.Message) []byte {
	dst = append(dst, map[string]string{"slow": "· slow line: now ", "recovered": "· recovered: ", "asked": "· as asked: "}[m.Reason]...)
	switch {
	case m.TradesAt == "raw" && m.QuotesAt == "raw" && m.Reason == "recovered":
		return append(dst, "raw again"...)
	case m.TradesAt == "raw" && m.QuotesAt == "raw":
		return append(dst, "raw"...)
	case m.TradesAt == "paced":
		return append(dst, "one merged message per symbol whenever there is room"...)
	case m.TradesAt == "raw":
		return fmt.Appendf(dst, "quotes merged per %s, trades raw", spaced(m.QuotesAt))
	default:
		return fmt.Appendf(dst, "merged per %s", spaced(m.TradesAt))
	}
}

// spaced puts a space before a resolution's unit, as in 250 ms.
func spaced(resolution string) string {
	number := strings.TrimRight(resolution, "ms")
	return number + " " + resolution[len(number):]
}

func appendHead(dst []byte, m *client.Message, kind string) []byte {
	at := m.Time()
	if m.Type == client.TypeGap {
		at = time.Now()
	}
	return fmt.Appendf(dst, "%s  %-9s %-6s ", at.UTC().Format("15:04:05.000000"), m.Symbol, kind)
}

func price(m *client.Message, p feed.Price) []byte {
	return feed.AppendPrice(nil, p, m.Instrument.Decimals)
}

func size(m *client.Message, v feed.Size) []byte {
	return feed.AppendSize(nil, v, m.Instrument.Scale)
}
