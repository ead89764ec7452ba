package fanout

import (
	"sort"
	"sync/atomic"
	"unsafe"
)

// recentBlock is how many items share an allocation.
const recentBlock = 128

// recent is an append-only list of the newest items of something: one writer,
// any number of readers, no locks. Items never change once appended. What falls
// out at the old end is left to the garbage collector, so that a reader that
// still holds it is safe.
type recent[T any] struct {
	blocks atomic.Pointer[[]*block[T]]
}

type block[T any] struct {
	n     atomic.Int64
	items [recentBlock]T
}

// add appends an item. Writer only.
func (r *recent[T]) add(item T) {
	blocks := r.load()
	if len(blocks) == 0 || blocks[len(blocks)-1].n.Load() == recentBlock {
		grown := append(blocks[:len(blocks):len(blocks)], new(block[T]))
		r.blocks.Store(&grown)
		blocks = grown
	}
	last := blocks[len(blocks)-1]
	n := last.n.Load()
	last.items[n] = item
	last.n.Store(n + 1)
}

// evict drops whole blocks at the old end while old says that their newest item
// may go, and hands each dropped block to gone. Writer only.
func (r *recent[T]) evict(old func(newest *T) bool, gone func(items []T)) {
	blocks := r.load()
	drop := 0
	for drop < len(blocks)-1 && old(&blocks[drop].items[recentBlock-1]) {
		drop++
	}
	if drop == 0 {
		return
	}
	if gone != nil {
		for _, b := range blocks[:drop] {
			gone(b.items[:])
		}
	}
	kept := append([]*block[T](nil), blocks[drop:]...)
	r.blocks.Store(&kept)
}

// bytes returns the size of the list's blocks. Writer only.
func (r *recent[T]) bytes() int { return len(r.load()) * int(unsafe.Sizeof(block[T]{})) }

func (r *recent[T]) load() []*block[T] {
	if p := r.blocks.Load(); p != nil {
		return *p
	}
	return nil
}

// view is what a recent list held at one moment.
type view[T any] struct {
	blocks []*block[T]
	n      int
}

// view returns what the list holds now. Items added later are not in it.
func (r *recent[T]) view() view[T] {
	blocks := r.load()
	if len(blocks) == 0 {
		return view[T]{}
	}
	last := len(blocks) - 1
	return view[T]{blocks: blocks, n: last*recentBlock + int(blocks[last].n.Load())}
}

// at returns the i-th oldest item, which the list owns.
func (v view[T]) at(i int) *T { return &v.blocks[i/recentBlock].items[i%recentBlock] }

// search returns the index of the first item for which is holds, or v.n. is must
// be false for some first items and true for all the others.
func (v view[T]) search(is func(*T) bool) int {
	return sort.Search(v.n, func(i int) bool { return is(v.at(i)) })
}
