package feed

import (
	"bufio"
	_ "embed" // for universe.csv
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Listing is an instrument and how a simulated market trades it.
type Listing struct {
	Instrument
	Price      Price   // reference price at the start, a multiple of Tick
	Volatility float64 // standard deviation of the logarithmic return of one day: 0.02 is 2 % a day
	Activity   float64 // weight: how often it trades, relative to the others
}

// Universe is the list of what a market trades. Its order is that of its file;
// a symbol's place in it is the symbol's index.
type Universe []Listing

// The bounds of a universe file.
const (
	maxListings     = 10_000
	maxUniverseLine = 1024 // bytes
	maxRowErrors    = 50   // more bad rows are counted only
	maxUnits        = 1e15 // of a price, a tick or a lot, at their scales
)

const universeHeader = "symbol,name,class,tick,lot,price,volatility,activity"

//go:embed universe.csv
var defaultUniverse string

// DefaultUniverse returns the built-in universe: 40 US stocks and 20 crypto
// pairs. The caller owns it.
func DefaultUniverse() (Universe, error) {
	return ParseUniverse("universe.csv", strings.NewReader(defaultUniverse))
}

// ParseUniverse reads a universe from CSV with the header
// "symbol,name,class,tick,lot,price,volatility,activity". Empty lines and those
// that begin with '#' are skipped. Every bad row is refused with name and line,
// all of them joined in one error. At most 10,000 rows are taken.
func ParseUniverse(name string, r io.Reader) (Universe, error) {
	p := universeParser{name: name, lines: map[string]int{}}
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, maxUniverseLine), maxUniverseLine)
	for sc.Scan() && len(p.universe) < maxListings+1 {
		p.line++
		p.add(strings.TrimPrefix(sc.Text(), "\ufeff"))
	}
	switch err := sc.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		p.line++
		p.fail(fmt.Errorf("line is longer than %d bytes", maxUniverseLine))
	case err != nil:
		p.fail(err)
	case len(p.universe) > maxListings:
		p.fail(fmt.Errorf("more than %d rows", maxListings))
	case len(p.universe) == 0 && p.failed == 0:
		p.fail(errors.New("no rows: a universe needs at least one instrument"))
	}
	return p.result()
}

// universeParser collects rows and what is wrong with them.
type universeParser struct {
	name     string
	line     int
	header   bool           // it has been seen
	lines    map[string]int // symbol -> its line
	universe Universe
	errs     []error // at most maxRowErrors
	failed   int
}

func (p *universeParser) add(line string) {
	if s := strings.TrimSpace(line); s == "" || s[0] == '#' {
		return
	}
	if !p.header {
		p.header = true
		if strings.ReplaceAll(line, " ", "") != universeHeader {
			p.fail(fmt.Errorf("the first row must be the header %s", universeHeader))
		}
		return
	}
	l, err := parseListing(line)
	if err == nil && p.lines[l.Symbol] != 0 {
		err = fmt.Errorf("symbol %s is already in line %d", l.Symbol, p.lines[l.Symbol])
	}
	if err != nil {
		p.fail(err)
		return
	}
	p.lines[l.Symbol] = p.line
	p.universe = append(p.universe, l)
}

func (p *universeParser) fail(err error) {
	p.failed++
	if len(p.errs) < maxRowErrors {
		p.errs = append(p.errs, fmt.Errorf("%s:%d: %w", p.name, p.line, err))
	}
}

func (p *universeParser) result() (Universe, error) {
	if p.failed == 0 {
		return p.universe, nil
	}
	if more := p.failed - len(p.errs); more > 0 {
		p.errs = append(p.errs, fmt.Errorf("%s: and %d more bad rows", p.name, more))
	}
	return nil, errors.Join(p.errs...)
}

// parseListing reads one row. It says everything that is wrong with it, joined
// by commas.
func parseListing(line string) (Listing, error) {
	c := csv.NewReader(strings.NewReader(line))
	c.TrimLeadingSpace = true
	row, err := c.Read()
	if want := strings.Count(universeHeader, ",") + 1; err == nil && len(row) != want {
		err = fmt.Errorf("%d columns instead of %d", len(row), want)
	}
	if err != nil {
		return Listing{}, rowError(err)
	}
	var f fields
	l := Listing{Instrument: Instrument{Symbol: f.symbol(row[0]), Name: f.name(row[1])}}
	l.Class, err = ParseClass(row[2])
	f.check(err)
	tick, decimals := f.step("tick size", row[3])
	lot, scale := f.step("lot size", row[4])
	l.Tick, l.Decimals, l.Lot, l.Scale = Price(tick), decimals, Size(lot), scale
	l.Price = f.price(row[5], l.Tick, decimals)
	l.Volatility = f.number("volatility", row[6], 1)
	l.Activity = f.number("activity", row[7], 1e6)
	return l, f.error()
}

// rowError is err without csv's own line number, which is always 1 here.
func rowError(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return parse.Err
	}
	return err
}

// fields reads the columns of a row and keeps what was wrong.
type fields []string

func (f *fields) check(err error) {
	if err != nil {
		*f = append(*f, err.Error())
	}
}

func (f *fields) failf(format string, args ...any) {
	*f = append(*f, fmt.Sprintf(format, args...))
}

func (f *fields) error() error {
	if len(*f) == 0 {
		return nil
	}
	return errors.New(strings.Join(*f, ", "))
}

func (f *fields) symbol(s string) string {
	if !ValidSymbol(s) {
		f.failf("symbol %q must be 1 to %d of A-Z 0-9 . - _ /", s, maxSymbol)
	}
	return s
}

func (f *fields) name(s string) string {
	if s == "" || len(s) > math.MaxUint8 || !utf8.ValidString(s) {
		f.failf("name %q must be 1 to %d bytes of text", s, math.MaxUint8)
	}
	return s
}

// step reads a tick or a lot; the decimals it is written with are the scale.
func (f *fields) step(what, s string) (int64, uint8) {
	_, fraction, _ := strings.Cut(s, ".")
	if len(fraction) > MaxDecimals || strings.ContainsAny(s, "eE") {
		f.failf("%s %q must be a plain number with at most %d decimals", what, s, MaxDecimals)
		return 0, 0
	}
	scale := uint8(len(fraction))
	v, err := ParseFixed(s, scale)
	switch {
	case err != nil:
		f.failf("%s %s", what, err)
	case v <= 0:
		f.failf("%s %q must be positive", what, s)
	case v > maxUnits:
		f.failf("%s %q is too large", what, s)
	}
	return v, scale
}

func (f *fields) price(s string, tick Price, decimals uint8) Price {
	if tick <= 0 {
		return 0 // already refused
	}
	v, err := ParseFixed(s, decimals)
	switch {
	case err != nil:
		f.failf("price %s", err)
	case v <= 0:
		f.failf("price %q must be positive", s)
	case v > maxUnits:
		f.failf("price %q is too large", s)
	case Price(v)%tick != 0:
		f.failf("price %q is no multiple of the tick size", s)
	}
	return Price(v)
}

func (f *fields) number(what, s string, limit float64) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v <= limit) { // false for NaN, too
		f.failf("%s %q must be a number above 0, at most %g", what, s, limit)
	}
	return v
}
