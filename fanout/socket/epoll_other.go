//go:build !linux

package socket

import (
	"errors"

	"github.com/tapecast/tapecast/fanout"
)

// hasEpoll makes the portable driver the only one.
const hasEpoll = false

func newEpoll(*Driver, *fanout.Shard) (loop, error) { return nil, errors.ErrUnsupported }
