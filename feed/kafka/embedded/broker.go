// Package embedded runs a Kafka broker inside the process, for the demo and for
// tests. It keeps its log in files, forgets by age and by size, and goes on
// where it was after an ordinary end, a crash or kill -9.
//
// It is the only package that imports kfake.
package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Options of a Broker. The zero value is a broker on a free port in a temporary
// folder that keeps 30 minutes and 256 MiB.
type Options struct {
	// Dir keeps the log. Empty: a temporary folder, removed by Close.
	Dir string
	// Port on 127.0.0.1; zero lets the kernel pick one.
	Port int
	// Retention is how long records are kept; zero means 30 minutes. A topic
	// that was created with a retention of its own keeps that.
	Retention time.Duration
	// MaxBytes bounds the log of all topics that are not compacted, give or
	// take one segment (1/64 of it) per lane; zero means 256 MiB.
	MaxBytes int64
	// Brokers is the size of the cluster; zero means one. More than one is for
	// tests, and takes free ports.
	Brokers int
	// TLS makes every connection a TLS one. Nil for plain.
	TLS *tls.Config
	// Users turns SASL on. Empty for none.
	Users []User
	// Log gets the broker's warnings. Nil for none.
	Log *slog.Logger
}

// User may connect with SASL.
type User struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
	Mechanism string
	// Name and Password of the user.
	Name, Password string
}

// Broker is a running broker. Its methods are safe for concurrent use.
type Broker struct {
	cluster *kfake.Cluster
	dir     string
	options Options

	stop context.CancelFunc
	done sync.WaitGroup
	once sync.Once
	err  error
}

// Start opens the log in Options.Dir and listens. The broker runs until Close
// or until ctx ends; Close has to be called in both cases.
func Start(ctx context.Context, o Options) (*Broker, error) {
	o.setDefaults()
	dir, err := o.folder()
	if err != nil {
		return nil, err
	}
	cluster, err := kfake.NewCluster(o.cluster(dir)...)
	if err != nil {
		if o.Dir == "" {
			_ = os.RemoveAll(dir)
		}
		return nil, fmt.Errorf("embedded broker: can't start on 127.0.0.1:%d with the log in %s: %w: is the port taken, or another process using the folder?", o.Port, dir, err)
	}
	ctx, stop := context.WithCancel(ctx)
	b := &Broker{cluster: cluster, dir: dir, options: o, stop: stop}
	b.done.Go(func() { b.forget(ctx) })
	return b, nil
}

// Addr is the host:port to connect to.
func (b *Broker) Addr() string { return b.cluster.ListenAddrs()[0] }

// Close stops the broker, writes down its state, and removes a temporary folder.
func (b *Broker) Close() error {
	b.once.Do(func() {
		b.stop()
		b.done.Wait()
		b.cluster.Close()
		if b.options.Dir == "" {
			b.err = os.RemoveAll(b.dir)
		}
	})
	return b.err
}

func (o *Options) setDefaults() {
	if o.Retention <= 0 {
		o.Retention = 30 * time.Minute
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 20
	}
	o.Brokers = max(o.Brokers, 1)
}

// folder makes the folder of the log, or says why it can't.
func (o *Options) folder() (string, error) {
	if o.Dir == "" {
		return os.MkdirTemp("", "tapecast-kafka-")
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return "", fmt.Errorf("embedded broker: %w: choose a folder that can be written to", err)
	}
	probe := filepath.Join(o.Dir, ".writable")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return "", fmt.Errorf("embedded broker: %w: choose a folder that can be written to", err)
	}
	return o.Dir, os.Remove(probe)
}

// cluster lists kfake's options. Segments are small because only whole
// segments leave the disk.
func (o *Options) cluster(dir string) []kfake.Opt {
	segment := min(max(o.MaxBytes/64, 64<<10), 16<<20)
	list := []kfake.Opt{
		kfake.NumBrokers(o.Brokers),
		kfake.DataDir(dir),
		kfake.WithLogger(logger{o.Log}),
		kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.ms":  strconv.FormatInt(o.Retention.Milliseconds(), 10),
			"log.segment.bytes": strconv.FormatInt(segment, 10),
		}),
	}
	if o.Port != 0 && o.Brokers == 1 {
		list = append(list, kfake.Ports(o.Port))
	}
	if o.TLS != nil {
		list = append(list, kfake.TLS(o.TLS))
	}
	if len(o.Users) > 0 {
		list = append(list, kfake.EnableSASL())
	}
	for _, u := range o.Users {
		list = append(list, kfake.Superuser(u.Mechanism, u.Name, u.Password))
	}
	return list
}

// logger hands kfake's errors and warnings to slog.
type logger struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if l.log == nil || level > kfake.LogLevelWarn || level == kfake.LogLevelNone {
		return
	}
	l.log.Warn("embedded broker", "message", fmt.Sprintf(format, args...))
}

var errNoLane = errors.New("embedded broker: no such topic or lane")
