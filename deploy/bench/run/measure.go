//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tapecast/tapecast/fanout/bench"
)

// outcome is one measurement of one server.
type outcome struct {
	result bench.Result
	late   float64 // how late the publisher was at most, ms
	err    error
}

func (o *outcome) String() string {
	if o.err != nil {
		return "failed: " + o.err.Error()
	}
	r := &o.result
	s := fmt.Sprintf("%.3f µs/tick, %.2f cores, p50 %.1f ms, p99 %.1f ms", r.Server.MicrosPerTick, r.Server.Cores, float64(r.Latency.P50)/1000, float64(r.Latency.P99)/1000)
	if r.Got == 0 {
		s = fmt.Sprintf("%.2f KiB per connection, %.0f µs per connect", r.Server.PerConnection, r.Server.ConnectMicros)
	} else if r.Expected > 0 {
		s += fmt.Sprintf(", %.0f %% delivered", 100*float64(r.Got)/float64(r.Expected))
	}
	if r.Lost > 0 {
		s += fmt.Sprintf(", %d clients lost", r.Lost)
	}
	return s
}

// ports are where a server listens.
type ports struct{ clients, intake int }

func (ports) address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// freePorts asks the kernel for two.
func freePorts(ctx context.Context) (ports, error) {
	var got [2]int
	for i := range got {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return ports{}, err
		}
		defer ln.Close()
		addr, ok := ln.Addr().(*net.TCPAddr)
		if !ok {
			return ports{}, errors.New("a TCP listener without a port")
		}
		got[i] = addr.Port
	}
	return ports{got[0], got[1]}, nil
}

// measure starts a server and its publisher, loads it and ends all again.
func (c *config) measure(ctx context.Context, s *scenario, name string) *outcome {
	o := &outcome{}
	at, err := freePorts(ctx)
	if err != nil {
		return &outcome{err: err}
	}
	of := serverOf(name)
	node, err := c.start(ctx, c.serverCPU, nil, c.command(s, of, at)...)
	if err != nil {
		return &outcome{err: err}
	}
	defer node.end()
	publisher, err := c.start(ctx, c.clientCPU, nil, c.publish(s, of, at)...)
	if err != nil {
		return &outcome{err: err}
	}
	if err := await(ctx, of, at); err != nil {
		publisher.end()
		return &outcome{err: fmt.Errorf("%w\n%s", err, node.output())}
	}
	o.result, o.err = c.load(ctx, s, of, at, node)
	publisher.end()
	var report struct {
		Late struct{ Max float64 } `json:"late_us"`
	}
	if err := json.Unmarshal(publisher.stdout.Bytes(), &report); err != nil && o.err == nil {
		o.err = fmt.Errorf("the publisher: %w: %s", err, publisher.output())
	}
	o.late = report.Late.Max / 1000
	return o
}

func (c *config) publish(s *scenario, of server, at ports) []string {
	as := "json"
	if of.node {
		as = "tape"
	}
	return []string{
		filepath.Join(c.bin, "publish"), "-to", at.address(at.intake), "-as", as,
		"-symbols", s.list(), "-rate", fmt.Sprint(s.rate),
	}
}

// load runs the load generator. While clients that get nothing warm up, the
// server is told to give memory back, as it was before they came.
func (c *config) load(ctx context.Context, s *scenario, of server, at ports, node *process) (bench.Result, error) {
	var r bench.Result
	args := append([]string{filepath.Join(c.bin, "tapecast")}, s.benchArgs(c.warmup, c.window)...)
	args = append(args, of.target(s, at)...)
	args = append(args, "--pid", fmt.Sprint(node.pid()))
	free := func() {}
	if s.idle {
		free = func() { _ = node.cmd.Process.Signal(syscall.SIGUSR1) }
		free()
		time.Sleep(time.Second)
	}
	generator, err := c.start(ctx, c.clientCPU, func(line string) {
		if strings.HasPrefix(line, "warming up") {
			free()
		}
	}, args...)
	if err != nil {
		return r, err
	}
	err = generator.wait()
	if json.Unmarshal(generator.stdout.Bytes(), &r) != nil || r.Server == nil {
		said := strings.Split(strings.TrimSpace(generator.output()), "\n")
		return r, fmt.Errorf("the load generator: %s (%w)", said[len(said)-1], err)
	}
	return r, nil // what clients missed is told in the result
}

// process is one that was started, and what it says.
type process struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
	read   chan struct{} // closed when all it said has been read
}

// start starts a process on one core. line, if not nil, gets what it says on
// standard error.
func (c *config) start(ctx context.Context, cpu int, line func(string), args ...string) (*process, error) {
	p := &process{read: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, "taskset", append([]string{"-c", fmt.Sprint(cpu)}, args...)...)
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	p.cmd.Stdout = &p.stdout
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 5 * time.Second
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.listen(pipe, line)
	return p, nil
}

func (p *process) listen(pipe io.Reader, line func(string)) {
	defer close(p.read)
	for s := bufio.NewScanner(pipe); s.Scan(); {
		if line != nil {
			line(s.Text())
		}
		p.stderr.WriteString(s.Text() + "\n")
	}
}

// pid is the process itself: taskset becomes what it starts.
func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) wait() error {
	<-p.read
	return p.cmd.Wait()
}

// end asks the process to end and waits for it, for some seconds at most.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	_ = p.wait() // that it was ended is no news
}

// output is the end of what the process said. Only once it has ended, or when
// it is not going to be waited for.
func (p *process) output() string {
	p.end()
	text := p.stderr.String()
	return text[max(0, len(text)-500):]
}

// await waits until a server takes clients.
func await(ctx context.Context, of server, at ports) error {
	for end := time.Now().Add(15 * time.Second); ; {
		err := try(ctx, of, at)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s does not get ready: %w", of.name, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func try(ctx context.Context, of server, at ports) error {
	address := at.address(at.clients)
	if !of.node {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
