package client

import "math"

// control decodes what is about the stream itself. Its fields are read as what
// they look like: a message that says one of them in another way is still good
// for the others.
func (d *decoder) control() {
	m, f := d.m, &d.f
	m.TS, m.Reason = d.signed("ts", f.ts), d.text("reason", f.reason)
	m.Tape, m.Cursor = d.text("tape", f.tape), d.text("cursor", f.cursor)
	if f.id != nil && f.id[0] == '"' {
		m.ID = d.text("id", f.id)
	}
	switch m.Type {
	case TypeHello:
		m.Version, m.MaxSymbols = d.count("v", f.v), d.count("max_symbols", f.maxSymbols)
		m.Node, m.Heartbeat = d.text("node", f.node), d.millis("heartbeat_ms", f.heartbeat)
	case TypeSubscribed, TypeUnsubscribed:
		d.list()
		m.Resolution = d.text("resolution", f.resolution)
	case TypeResolution:
		m.TradesAt, m.QuotesAt = d.text("trades", f.trades), d.text("quotes", f.quotes)
	case TypeHeartbeat:
		m.At, m.Behind = d.signed("at", f.at), d.millis("behind_ms", f.behind)
	case TypeError:
		m.Code, m.Text = d.text("code", f.code), d.text("message", f.message)
		m.Symbols = d.texts("symbols", f.symbols)
	case TypeBye:
		m.Code, m.Text = d.text("code", f.code), d.text("message", f.message)
		m.Retry = d.millis("retry_ms", f.retry)
	}
}

// list reads how many symbols a subscription has; a node may also list them.
func (d *decoder) list() {
	m, f := d.m, &d.f
	m.Channels = d.texts("channels", f.channels)
	if f.symbols != nil && f.symbols[0] == '[' {
		m.Symbols = d.texts("symbols", f.symbols)
		m.Count = len(m.Symbols)
		return
	}
	m.Count = d.count("symbols", f.symbols)
}

func (d *decoder) count(field string, span []byte) int {
	return int(min(d.unsigned(field, span), math.MaxInt32))
}

func (d *decoder) texts(field string, span []byte) []string {
	if span == nil {
		return nil
	}
	parts, err := elements(nil, span)
	if err != nil {
		d.fail(field, err)
		return nil
	}
	list := make([]string, len(parts))
	for i, p := range parts {
		list[i] = d.text(field, p)
	}
	return list
}
