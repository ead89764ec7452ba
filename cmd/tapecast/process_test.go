package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the program under test, built once by TestMain.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tapecast-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "tapecast")
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// process is a role running as a process of its own.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // once done is closed

	mu   sync.Mutex
	tail []string // its last lines
}

// start starts a role. It is killed when the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: args[0], cmd: exec.CommandContext(context.WithoutCancel(t.Context()), program, args...), done: make(chan struct{})}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout = p.cmd.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.read(stderr)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill9()
		if t.Failed() {
			t.Logf("%s said last:\n%s", p.name, strings.Join(p.tail, "\n"))
		}
	})
	return p
}

func (p *process) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		p.mu.Lock()
		p.tail = append(p.tail, lines.Text())
		if len(p.tail) > 40 {
			p.tail = p.tail[1:]
		}
		p.mu.Unlock()
	}
}

// kill9 ends the process as a power cut would.
func (p *process) kill9() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop ends the process in order and reports how that went.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(10 * time.Second):
		p.t.Errorf("%s did not end within 10 s of Ctrl-C", p.name)
		p.kill9()
		return nil
	}
}

// node is a node process that is ready.
type nodeProcess struct {
	*process
	url  string
	args []string
}

// startNode starts a node on a port of its own and waits until it is ready.
func startNode(t *testing.T, args ...string) *nodeProcess {
	t.Helper()
	n := &nodeProcess{args: args, url: "http://" + freeAddr(t)}
	n.restart(t)
	return n
}

// restart starts the node again, on the same port.
func (n *nodeProcess) restart(t *testing.T) {
	t.Helper()
	args := append([]string{"node", "--listen", strings.TrimPrefix(n.url, "http://"), "--admin-listen", "127.0.0.1:0"}, n.args...)
	n.process = start(t, args...)
	waitReady(t, n.process, n.url)
}

func waitReady(t *testing.T, p *process, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	waitReadyBy(ctx, t, http.DefaultClient, p, url)
}

func waitReadyBy(ctx context.Context, t *testing.T, client *http.Client, p *process, url string) {
	t.Helper()
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-p.done:
			t.Fatalf("%s ended: %v", p.name, p.err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("%s at %s was not ready in time", p.name, url)
}

// freeAddr returns an address of loopback that is free now.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// span returns how long a check runs: TAPECAST_T in its full form, else short.
func span(t *testing.T, short time.Duration) time.Duration {
	t.Helper()
	if os.Getenv("TAPECAST_FULL") != "1" {
		return short
	}
	full, err := time.ParseDuration(os.Getenv("TAPECAST_T"))
	if err != nil {
		return time.Minute
	}
	return full
}

// full reports whether a check runs in its full form.
func full() bool { return os.Getenv("TAPECAST_FULL") == "1" }
