// Package charts holds the one merge that serves everything: Bar, the merge of a
// range of a symbol's trades. The message of a slow client, the candle of a
// chart, the minute bars of the history and the longer intervals made of them
// are all merges of Bars, so live, conflated and history agree by construction.
//
// A Bar is the merge of any range; a Window is a Bar that covers an interval of
// time. The package is pure: it reads no clock, does no I/O and starts nothing.
package charts
