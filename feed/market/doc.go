// Package market is a simulated market: quotes and trades of a universe of
// instruments that look like those of real ones. It is pure: it knows no Kafka,
// no wall clock and no goroutine.
//
// A session is a function of Options alone: the same seed, start, universe, rate
// and start prices give the same ticks, byte for byte, however Advance slices
// it. (That holds for one build on one processor architecture: compilers may
// fuse floating-point operations elsewhere.)
//
// The simulated exchange never closes: stocks trade around the clock as crypto
// pairs do. Prices are float64 inside the process that makes them up, and
// integers from the moment they become ticks.
package market
