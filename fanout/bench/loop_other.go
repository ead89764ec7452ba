//go:build !linux

package bench

import (
	"context"
	"errors"
)

// supported says why there are no generators on this system.
func supported() error {
	return errors.New("load generators run on Linux, whose epoll they need; a server on this system can be measured from a machine that has it")
}

// loop is what there is none of here.
type loop struct {
	*reader
	conns         []conn
	slow, cut     rota
	steady        []int
	first, last   sample
	before        usage
	connected     usage
	lost, resumed int
	meter         meter
	why           map[string]int
}

func newLoop(*reader, meter) (*loop, error) { return nil, supported() }
func (*loop) run(context.Context) error     { return supported() }
func (*loop) close()                        {}
