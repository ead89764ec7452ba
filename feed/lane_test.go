package feed_test

import (
	"testing"

	"github.com/tapecast/tapecast/feed"
)

// TestLaneIsKafkas uses the vectors of Kafka's own UtilsTest.testMurmur2. With
// 2^31 lanes the lane is the whole hash without its sign.
func TestLaneIsKafkas(t *testing.T) {
	for key, hash := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		want := int(uint32(hash) & 0x7fffffff)
		if got := feed.Lane(key, 1<<31); got != want {
			t.Errorf("%q has hash %d, want %d", key, got, want)
		}
		for _, n := range []int{1, 2, 7, 8, 12} {
			if got := feed.Lane(key, n); got != want%n {
				t.Errorf("%q is on lane %d of %d, want %d", key, got, n, want%n)
			}
		}
	}
}
