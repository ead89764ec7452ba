// Package kafkatest runs a real Apache Kafka broker for tests: one java child
// process on free ports of 127.0.0.1, from jars that Maven fetches once into
// libs/ beside this file. No Docker is needed.
//
// Start it once per test binary (it takes about two seconds), and Stop it in
// TestMain. Where java or mvn is missing, Start returns ErrUnavailable with the
// reason; Unavailable turns that into a skip, or into a failure where CI=true.
package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tapecast/tapecast/feed/kafka"
)

// ErrUnavailable says that no broker can be had on this machine, and why.
var ErrUnavailable = errors.New("no Apache Kafka for tests")

// Options of a Broker. The zero value is a fresh broker on free ports.
type Options struct {
	// Dir keeps log and configuration. Empty: a temporary folder, removed by Stop.
	Dir string
	// Port for clients; zero for a free one.
	Port int
	// Users opens a second port that wants SASL; see Broker.SASLAddr.
	Users []User
}

// User may log in with plain, scram-sha-256 and scram-sha-512.
type User struct {
	// Name and Password, of letters and digits.
	Name, Password string
}

// Broker is a java child process. One goroutine uses it.
type Broker struct {
	options    Options
	controller int
	sasl       int
	libs       string
	temporary  bool
	child      *exec.Cmd
	exited     chan struct{} // Closed when the child has ended.
}

// Unavailable skips the test if err says that there is no broker to be had, and
// fails it for other errors, and for any error where CI=true.
func Unavailable(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrUnavailable) && os.Getenv("CI") != "true":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// Start fetches the jars if they are missing, formats the folder if it is new,
// starts the broker and waits until it answers.
func Start(ctx context.Context, o Options) (*Broker, error) {
	libs, err := fetchLibs(ctx)
	if err != nil {
		return nil, err
	}
	b := &Broker{options: o, libs: libs}
	if err := b.prepare(ctx); err != nil {
		b.removeTemporary()
		return nil, err
	}
	if err := b.Restart(ctx); err != nil {
		b.removeTemporary()
		return nil, err
	}
	return b, nil
}

// Addr is the host:port to connect to.
func (b *Broker) Addr() string { return local(b.options.Port) }

// SASLAddr is the host:port for clients that log in.
func (b *Broker) SASLAddr() string { return local(b.sasl) }

// Pid is the process id of the java process.
func (b *Broker) Pid() int { return b.child.Process.Pid }

// Restart starts the broker again in the same folder and on the same ports,
// after Kill9 or Stop, and waits until it answers.
func (b *Broker) Restart(ctx context.Context) error {
	if b.running() {
		return errors.New("kafkatest: the broker is still running: stop it first")
	}
	if err := b.launch(); err != nil {
		return err
	}
	if err := b.awaitReady(ctx); err != nil {
		tail := b.logTail()
		return errors.Join(fmt.Errorf("kafkatest: the broker did not come up: %w\n%s", err, tail), b.end(syscall.SIGKILL))
	}
	return nil
}

// Kill9 ends the broker as a power cut would. It makes sure first that the
// process is the java process which runs this broker's configuration.
func (b *Broker) Kill9() error {
	if !b.running() {
		return errors.New("kafkatest: the broker is not running")
	}
	if err := b.checkProcess(); err != nil {
		return err
	}
	return b.end(syscall.SIGKILL)
}

// Stop ends the broker in an orderly way and removes a temporary folder.
func (b *Broker) Stop() error {
	defer b.removeTemporary()
	if !b.running() {
		return nil
	}
	return b.end(syscall.SIGTERM)
}

// launch starts java without waiting for the broker.
func (b *Broker) launch() error {
	log, err := os.OpenFile(b.path("broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // The child has its own descriptor.
	child := b.java(context.Background(), "kafka.Kafka", b.path("server.properties"))
	child.Stdout, child.Stderr = log, log
	child.SysProcAttr = detached()
	if err := child.Start(); err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	exited := make(chan struct{})
	b.child, b.exited = child, exited
	go func() {
		_ = child.Wait() // A killed child is no error here.
		close(exited)
	}()
	return nil
}

// java makes a command of the Java runtime with Kafka's jars.
func (b *Broker) java(ctx context.Context, args ...string) *exec.Cmd {
	options := []string{"-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(b.libs, "*")}
	return exec.CommandContext(ctx, "java", append(options, args...)...)
}

// awaitReady waits until the broker answers questions about topics.
func (b *Broker) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn := kafka.Conn{Brokers: []string{b.Addr()}}
	for {
		err := kafka.Await(ctx, conn)
		if err == nil {
			_, err = kafka.Verify(ctx, conn, "ready")
		}
		if errors.Is(err, kafka.ErrNoTopic) {
			return nil
		}
		select {
		case <-b.exited:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// end sends sig to the child and waits for its end; after a while it kills it.
func (b *Broker) end(sig os.Signal) error {
	const patience = 20 * time.Second
	if err := b.child.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kafkatest: %w", err)
	}
	select {
	case <-b.exited:
		return nil
	case <-time.After(patience):
		err := b.child.Process.Kill()
		<-b.exited
		return errors.Join(fmt.Errorf("kafkatest: the broker did not end within %s and was killed", patience), err)
	}
}

func (b *Broker) running() bool {
	if b.child == nil {
		return false
	}
	select {
	case <-b.exited:
		return false
	default:
		return true
	}
}

func (b *Broker) removeTemporary() {
	if b.temporary {
		_ = os.RemoveAll(b.options.Dir)
	}
}

func (b *Broker) path(name string) string { return filepath.Join(b.options.Dir, name) }

// freePort asks the kernel for a port that nobody listens on.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("kafkatest: no TCP address: %v", listener.Addr())
	}
	return addr.Port, listener.Close()
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
