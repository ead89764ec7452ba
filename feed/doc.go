// Package feed holds the words of the tape and their record codec.
//
// The words: an Instrument is a traded thing and its rules, its name is the
// symbol; a Tick is one market event of a symbol (trade, quote, status,
// correction or cancel), numbered by its seq; a Universe is the list of
// instruments a market trades; a Position is a place on the tape.
//
// The codec (Append… and Decode) is the versioned binary form in which records
// are kept on the tape. It is a contract: a change needs a new version.
//
// Everything is fixed point: prices and sizes are integers at the scale of
// their instrument, times are UTC nanoseconds. The package imports nothing else
// of Tapecast.
package feed
