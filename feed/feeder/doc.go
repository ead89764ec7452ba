// Package feeder is the role that writes the tape: it runs the simulated market
// along a clock, numbers its ticks, adds clocks, keyframes and sessions, and
// appends all of it to the lanes. It takes up a tape where the feeder before it
// left off. It knows no Kafka: a Tape is what it writes to.
package feeder
