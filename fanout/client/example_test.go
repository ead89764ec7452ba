package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/coder/websocket"

	"github.com/tapecast/tapecast/fanout/client"
	"github.com/tapecast/tapecast/feed"
)

// exampleNode stands in for a node at http://127.0.0.1:8080.
func exampleNode() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/symbols", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"symbols":[{"sym":"AAPL","name":"Apple","class":"stock","tick":0.01,"lot":1,"decimals":2,"scale":0}],"tape":"aa","cursor":"c0"}`)
	})
	messages := []string{
		`{"type":"snapshot","sym":"AAPL","trade":{"seq":7,"ts":1,"p":189.40,"v":50,"side":"s"},"tape":"aa"}`,
		`{"type":"trade","sym":"AAPL","seq":8,"ts":1764000000000000,"p":189.42,"v":100,"side":"b"}`,
		`{"type":"agg","sym":"AAPL","first":9,"seq":11,"t0":1764000001000000,"ts":1764000002000000,"n":3,"o":189.42,"h":189.50,"l":189.41,"c":189.45,"v":30,"to":"5683.80","d":"00000000000000ff"}`,
		`{"type":"bye","code":"end","retry_ms":0,"cursor":"c4"}`,
	}
	mux.HandleFunc("/v1/stream", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for _, m := range messages {
			_ = conn.Write(r.Context(), websocket.MessageText, []byte(m))
		}
		_, _, _ = conn.Read(r.Context()) // the subscription
		_, _, _ = conn.Read(r.Context()) // the close
	})
	mux.HandleFunc("/v1/poll", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"messages":[%s,%s],"next":"c2"}`, messages[0], messages[1])
	})
	return httptest.NewServer(mux)
}

// A client that prints trades, and checks that none is missing.
func ExampleClient() {
	node := exampleNode()
	defer node.Close()

	c, err := client.New(client.Options{Base: node.URL, Symbols: []string{"AAPL"}, Channels: []string{"trades"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	var tiling client.Tiling
	err = c.Run(context.Background(), func(m *client.Message) error {
		tiling.Observe(m)
		switch m.Type {
		case client.TypeTrade:
			fmt.Printf("%s %s x %d\n", m.Symbol, feed.AppendPrice(nil, m.Price, m.Instrument.Decimals), m.Size)
		case client.TypeAgg:
			fmt.Printf("%s %d trades, high %s\n", m.Symbol, m.Bar.Count, feed.AppendPrice(nil, m.Bar.High, m.Instrument.Decimals))
		}
		return nil
	})
	report := tiling.Report()
	from, to, sum := tiling.Sums("AAPL")
	fmt.Println(err, report.Err(), from, to, sum.Volume)
	// Output:
	// AAPL 189.42 x 100
	// AAPL 3 trades, high 189.50
	// <nil> <nil> 8 11 130
}

// A handler's error ends Run. State then says where to go on, in this program or
// another, over any transport.
func ExampleClient_State() {
	node := exampleNode()
	defer node.Close()

	c, err := client.New(client.Options{Base: node.URL, Symbols: []string{"AAPL"}, Transport: client.LongPoll})
	if err != nil {
		fmt.Println(err)
		return
	}
	enough := errors.New("enough")
	err = c.Run(context.Background(), func(*client.Message) error {
		if c.State().Cursor != "" {
			return enough
		}
		return nil
	})
	fmt.Println(err, c.State().Cursor, c.State().Since["AAPL"].Trades)
	// Output:
	// enough c2 8
}

// Decode is for messages that come by another way, such as a file.
func ExampleDecode() {
	symbols := client.NewSymbols(feed.Instrument{Symbol: "BTCUSDT", Decimals: 2, Scale: 5})
	var m client.Message
	err := client.Decode(&m, []byte(`{"type":"trade","sym":"BTCUSDT","seq":1,"ts":1764000000123456,"p":96189.42,"v":0.00125,"side":"b"}`), symbols)
	fmt.Println(err, m.Price, m.Size, m.Time().Format("15:04:05.000000"))
	// Output:
	// <nil> 9618942 125 16:00:00.123456
}
