// Package keeper is the bars role: it reads the ticks of a tape, builds the
// 1-minute windows of every symbol, and writes each closed one to the bars
// topic, the history that nodes load at start.
//
// It keeps nothing of its own. The lanes are shared out by a consumer group, and
// what the group remembers of a lane is where the trades of its open windows
// begin. A keeper that is killed, or loses a lane to another, is followed by one
// that reads from there, and so writes windows again that may be there already:
// byte for byte the same ones.
package keeper
