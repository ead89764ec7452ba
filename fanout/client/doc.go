// Package client is a client of Tapecast's native protocol, for use in other
// programs.
//
// It carries a subscription over four transports (WebSocket, server-sent events,
// long and short polls), reconnects and resumes by itself, at another node if
// need be, and drops what it already has. What a handler sees is one stream that
// goes on, without a hole and without a repeat:
//
//	c, err := client.New(client.Options{
//		Base:     "http://127.0.0.1:8080",
//		Symbols:  []string{"AAPL", "MSFT"},
//		Channels: []string{"trades", "quotes"},
//	})
//	if err != nil {
//		return err // names every option that is wrong
//	}
//	var tiling client.Tiling // optional: checks the promise, see below
//	err = c.Run(ctx, func(m *client.Message) error {
//		tiling.Observe(m)
//		switch m.Type {
//		case client.TypeSnapshot: // where a symbol stands; m.Trade, m.Quote, m.Day
//		case client.TypeTrade: // m.Symbol, m.Price, m.Size, m.Side
//		case client.TypeAgg: // several trades as one: m.Bar
//		case client.TypeQuote: // m.Bid, m.Ask
//		case client.TypeResolution: // from now on finer or coarser, m.Reason
//		case client.TypeGap: // m.First to m.Seq of m.Channel can't be had, m.Reason
//		case client.TypeReset: // another tape: forget everything, snapshots follow
//		}
//		return nil
//	})
//
// Prices and sizes are fixed-point integers that are read digit by digit, never
// through floating point: feed.AppendPrice(nil, m.Price, m.Instrument.Decimals)
// is the price's text. A message is the client's own and is overwritten by the
// next; keep a Clone. m.Raw is its JSON as it came.
//
// State returns a cursor and the last seqs; given to Options, another client, or
// the same program tomorrow, goes on after them. Switch changes the transport of
// a running client. Run returns when its context is done (nil), the stream has
// ended (nil), the handler returns an error (that one), or a node refuses for
// good (a *RefusedError).
//
// # Slow clients
//
// A client that can't keep up gets less detail, not less truth: quotes, then trades
// are merged over longer and longer times, and back again once it keeps up. Each
// change is a resolution message, and Stats().Level says what is got now and why.
// Options.Slow "drop" ends the connection instead; the client then resumes.
// Resolve changes what is asked for while the client runs. On a WebSocket the client
// acknowledges once a second, so that the node also sees what waits in a proxy.
//
// # The promise
//
// Trades, quotes and statuses of a symbol are each numbered 1, 2, 3 and so on;
// every message covers a range of them. From where a client starts on, the
// ranges tile the numbers: no hole, no overlap, in order, and the sums over the
// trades agree with the tape, whatever happens on the way. What can't be had is
// said by a gap message. A Tiling checks this on what a client gets: Report
// counts and words what is wrong, Sums are for comparing with the truth.
package client
