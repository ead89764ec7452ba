//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
)

// intake reads the publisher's records and makes batches of them, one a lane of
// all that has come at once, as the readers of Kafka do.
type intake struct {
	names   map[string]string
	next    []int64
	pool    sync.Pool // of *fanout.Batch
	batches []*fanout.Batch
}

func newIntake(lanes int) *intake {
	in := &intake{names: map[string]string{}, next: make([]int64, lanes), batches: make([]*fanout.Batch, lanes)}
	in.pool.New = func() any { return new(fanout.Batch) }
	return in
}

// run takes one publisher and hands its records to the hub.
func (in *intake) run(ctx context.Context, ln net.Listener, hub *fanout.Hub) error {
	batches := make(chan *fanout.Batch, 2*len(in.next))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return hub.Run(ctx, batches, func(b *fanout.Batch) { in.pool.Put(b) }) })
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	g.Go(func() error {
		conn, err := ln.Accept()
		if err != nil {
			return ctx.Err()
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		defer conn.Close()
		return in.read(ctx, conn, batches)
	})
	return g.Wait()
}

// read reads until the publisher is gone or ctx ends. Then the tape stands still.
func (in *intake) read(ctx context.Context, conn net.Conn, batches chan<- *fanout.Batch) error {
	buf := make([]byte, 256<<10)
	kept := 0
	for {
		n, err := conn.Read(buf[kept:])
		if err != nil {
			return ctx.Err()
		}
		rest, err := in.take(buf[:kept+n])
		if err != nil {
			return err
		}
		kept = copy(buf, rest)
		for lane, b := range in.batches {
			if b == nil {
				continue
			}
			in.batches[lane] = nil
			b.Next, b.End = in.next[lane], in.next[lane]
			select {
			case batches <- b:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// take decodes all records that are whole and returns the rest.
func (in *intake) take(b []byte) ([]byte, error) {
	for len(b) >= 4 {
		lane, key, value := int(b[0]), int(b[1]), int(binary.LittleEndian.Uint16(b[2:]))
		if len(b) < 4+key+value {
			return b, nil
		}
		if lane >= len(in.next) {
			return nil, fmt.Errorf("the publisher writes lane %d and there are %d: give both the same -lanes", lane, len(in.next))
		}
		if err := in.add(lane, b[4:4+key], b[4+key:4+key+value]); err != nil {
			return nil, err
		}
		b = b[4+key+value:]
	}
	return b, nil
}

func (in *intake) add(lane int, key, value []byte) error {
	batch := in.batches[lane]
	if batch == nil {
		var ok bool
		if batch, ok = in.pool.Get().(*fanout.Batch); !ok {
			batch = new(fanout.Batch)
		}
		*batch = fanout.Batch{Lane: lane, Records: batch.Records[:0]}
		in.batches[lane] = batch
	}
	batch.Records = append(batch.Records, fanout.Record{Offset: in.next[lane]})
	in.next[lane]++
	r := &batch.Records[len(batch.Records)-1]
	if err := feed.Decode(value, &r.Record); err != nil {
		return fmt.Errorf("the publisher's record can't be read: %w", err)
	}
	name, ok := in.names[string(key)]
	if !ok {
		name = string(key)
		in.names[name] = name
	}
	r.Symbol = name
	return nil
}
