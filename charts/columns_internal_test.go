package charts

import (
	"testing"
	"unsafe"
)

// TestBytesPerWindow holds the series to its size; the base is shared by 128.
func TestBytesPerWindow(t *testing.T) {
	rows := unsafe.Sizeof(columns{}) - unsafe.Sizeof(Window{})
	if got := float64(rows) / chunkRows; got > 58 {
		t.Errorf("%.1f bytes a window", got)
	}
	if got := float64(unsafe.Sizeof(columns{})+unsafe.Sizeof(chunk{})) / chunkRows; got > 60 {
		t.Errorf("%.1f bytes a window with all that a chunk has besides", got)
	}
}
