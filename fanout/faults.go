package fanout

import "github.com/tapecast/tapecast/feed"

// Faults breaks a hub on purpose. Checks are shown to find each of them before
// they are believed; no role of the program sets them.
type Faults struct {
	LoseEvery  uint64 // loses each n-th trade or quote without a word; 0: none
	LoseVolume bool   // takes one unit off the size of each hundredth trade
	LoseLow    bool   // merges forget the low
}

// faultState counts for Faults. Ingest only.
type faultState struct{ seen uint64 }

// mangle applies the faults to a tick and reports whether it is to be lost.
func (f *faultState) mangle(o *Faults, t *feed.Tick) (lost bool) {
	if o.LoseEvery == 0 && !o.LoseVolume {
		return false
	}
	f.seen++
	if o.LoseVolume && t.Kind == feed.KindTrade && f.seen%100 == 0 {
		t.Size--
	}
	return o.LoseEvery != 0 && f.seen%o.LoseEvery == 0
}
