package feed

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestDefaultUniverse(t *testing.T) {
	u, err := DefaultUniverse()
	if err != nil {
		t.Fatal(err)
	}
	var classes [3]int
	for _, l := range u {
		classes[l.Class]++
	}
	if classes[Stock] != 40 || classes[Crypto] != 20 {
		t.Errorf("got %d stocks and %d crypto pairs, want 40 and 20", classes[Stock], classes[Crypto])
	}
	want := Listing{
		Instrument: Instrument{Symbol: "BTCUSDT", Name: "Bitcoin / Tether", Class: Crypto, Tick: 1, Lot: 1, Decimals: 2, Scale: 5},
		Price:      9421055, Volatility: 0.024, Activity: 90,
	}
	if got := u[40]; got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParseUniverseSteps(t *testing.T) {
	const text = "\ufeff" + universeHeader + "\r\n# a comment\r\n\r\n" +
		`AB/C,"Ab, C and ""D""",stock,0.05,100,10.15,0.02,1` + "\r\n"
	u, err := ParseUniverse("u.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Listing{
		Instrument: Instrument{Symbol: "AB/C", Name: `Ab, C and "D"`, Class: Stock, Tick: 5, Lot: 100, Decimals: 2},
		Price:      1015, Volatility: 0.02, Activity: 1,
	}
	if len(u) != 1 || u[0] != want {
		t.Errorf("got %+v\nwant %+v", u, want)
	}
}

func TestParseUniverseRefuses(t *testing.T) {
	long := strings.Repeat("X", maxUniverseLine)
	tests := []struct{ name, row, want string }{
		{"tick", "A,A,stock,0,1,1,0.1,1", `u.csv:2: tick size "0" must be positive`},
		{"negative lot", "A,A,stock,1,-0.5,1,0.1,1", `u.csv:2: lot size "-0.5" must be positive`},
		{"exponent", "A,A,stock,1e-2,1,1,0.1,1", `u.csv:2: tick size "1e-2" must be a plain number with at most 9 decimals`},
		{"too fine", "A,A,stock,0.0000000001,1,1,0.1,1", `u.csv:2: tick size "0.0000000001" must be a plain number with at most 9 decimals`},
		{"no number", "A,A,stock,x,1,1,0.1,1", `u.csv:2: tick size "x" is not a decimal number`},
		{"off tick", "A,A,stock,0.05,1,1.01,0.1,1", `u.csv:2: price "1.01" is no multiple of the tick size`},
		{"too many decimals", "A,A,stock,0.1,1,1.01,0.1,1", `u.csv:2: price "1.01" has more than 1 decimals`},
		{"free", "A,A,stock,1,1,0,0.1,1", `u.csv:2: price "0" must be positive`},
		{"dear", "A,A,stock,1,1,1000000000000001,0.1,1", `u.csv:2: price "1000000000000001" is too large`},
		{"class", "A,A,bond,1,1,1,0.1,1", `u.csv:2: class "bond" must be stock or crypto`},
		{"symbol", "a,A,stock,1,1,1,0.1,1", `u.csv:2: symbol "a" must be 1 to 24 of A-Z 0-9 . - _ /`},
		{"name", "A,,stock,1,1,1,0.1,1", `u.csv:2: name "" must be 1 to 255 bytes of text`},
		{"volatility", "A,A,stock,1,1,1,NaN,1", `u.csv:2: volatility "NaN" must be a number above 0, at most 1`},
		{"activity", "A,A,stock,1,1,1,0.1,Inf", `u.csv:2: activity "Inf" must be a number above 0, at most 1e+06`},
		{"columns", "A,A", `u.csv:2: 2 columns instead of 8`},
		{"quote", `A,"A,stock,1,1,1,0.1,1`, `u.csv:2: extraneous or missing " in quoted-field`},
		{"two faults", "A,A,stock,1,0,1,0.1,0", `u.csv:2: lot size "0" must be positive, activity "0" must be a number above 0, at most 1e+06`},
		{"two rows", "A,A\nB,B,stock,1,1,1,0.1,1\nC,C", "u.csv:2: 2 columns instead of 8\nu.csv:4: 2 columns instead of 8"},
		{"duplicate", "A,A,stock,1,1,1,0.1,1\nA,A,stock,1,1,1,0.1,1", `u.csv:3: symbol A is already in line 2`},
		{"long", long, `u.csv:2: line is longer than 1024 bytes`},
		{"none", "", `u.csv:1: no rows: a universe needs at least one instrument`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := ParseUniverse("u.csv", strings.NewReader(universeHeader+"\n"+tt.row))
			if err == nil || err.Error() != tt.want || u != nil {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestParseUniverseHeader(t *testing.T) {
	_, err := ParseUniverse("u.csv", strings.NewReader("A,A,stock,1,1,1,0.1,1\n"))
	if want := "u.csv:1: the first row must be the header " + universeHeader; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err := ParseUniverse("u.csv", strings.NewReader("")); err == nil {
		t.Error("an empty file was taken")
	}
}

func TestParseUniverseBounds(t *testing.T) {
	var good, bad bytes.Buffer
	fmt.Fprintln(&good, universeHeader)
	fmt.Fprintln(&bad, universeHeader)
	for i := range maxListings + 1 {
		fmt.Fprintf(&good, "S%d,A,stock,1,1,1,0.1,1\n", i)
		fmt.Fprintln(&bad, "x")
	}
	if _, err := ParseUniverse("u.csv", &good); err == nil || !strings.HasSuffix(err.Error(), "more than 10000 rows") {
		t.Errorf("too many rows: %v", err)
	}
	_, err := ParseUniverse("u.csv", &bad)
	if err == nil || !strings.HasSuffix(err.Error(), "u.csv: and 9951 more bad rows") {
		t.Errorf("too many errors: %.200v", err)
	}
}

func FuzzParseUniverse(f *testing.F) {
	f.Add(defaultUniverse)
	f.Add(universeHeader + "\nA,\"A\",stock,0.05,1,1.05,0.1,1\n")
	f.Add(universeHeader + "\nA,A,crypto,1e400,1,1,0x1p-2,1\n")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseUniverse("u", strings.NewReader(text))
		if (err == nil) != (len(u) > 0) {
			t.Fatalf("%d rows with error %v", len(u), err)
		}
		for _, l := range u {
			if !ValidSymbol(l.Symbol) || l.Tick <= 0 || l.Lot <= 0 || l.Price <= 0 || l.Price%l.Tick != 0 ||
				l.Decimals > MaxDecimals || l.Scale > MaxDecimals || !(l.Volatility > 0) || !(l.Activity > 0) {
				t.Fatalf("took %+v", l)
			}
		}
	})
}
