package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tapecast/tapecast/feed/kafka"
	"github.com/tapecast/tapecast/feed/kafka/embedded"
)

// childDir makes this test binary a broker process with its log there, for the
// test that kills one.
const childDir = "TAPECAST_TEST_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		brokerProcess(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// brokerProcess runs a broker until its standard input ends or it is killed.
func brokerProcess(dir string) {
	port, _ := strconv.Atoi(os.Getenv("TAPECAST_TEST_BROKER_PORT"))
	broker, err := embedded.Start(context.Background(), embedded.Options{Dir: dir, Port: port})
	if err != nil {
		fmt.Println("failed:", err)
		return
	}
	fmt.Println(broker.Addr())
	_, _ = bufio.NewReader(os.Stdin).ReadString(0)
	_ = broker.Close()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for what the broker does by its own clock.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("in vain: ", what)
		case <-ticker.C:
		}
	}
}

func start(t *testing.T, o embedded.Options) *embedded.Broker {
	t.Helper()
	broker, err := embedded.Start(context.Background(), o)
	must(t, err)
	t.Cleanup(func() { must(t, broker.Close()) })
	return broker
}

func topicAndWriter(t *testing.T, addr string, lanes int) (kafka.Conn, *kafka.Writer) {
	t.Helper()
	conn := kafka.Conn{Brokers: []string{addr}}
	must(t, kafka.Ensure(within(t, 10*time.Second), conn, kafka.Topic{Name: "tape", Lanes: lanes}))
	w, err := kafka.NewWriter(within(t, 10*time.Second), kafka.WriterOptions{Conn: conn, Topic: "tape", Lanes: lanes, TransactionalID: "feeder"})
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return conn, w
}

func count(t *testing.T, conn kafka.Conn, lanes int) (records int) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	first, next, err := kafka.Offsets(ctx, conn, "tape", lanes)
	must(t, err)
	must(t, kafka.Range(ctx, conn, "tape", first, next, func(kafka.Record) error { records++; return nil }))
	return records
}

func TestGoesOnInTheSameFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "start")
	broker, err := embedded.Start(context.Background(), embedded.Options{Dir: dir})
	must(t, err)
	_, w := topicAndWriter(t, broker.Addr(), 2)
	w.Append(0, time.Now().UnixNano(), nil, []byte("kept"))
	must(t, w.Flush(within(t, 10*time.Second)))
	must(t, broker.Close())
	must(t, broker.Close()) // Twice is fine.

	conn, w := topicAndWriter(t, start(t, embedded.Options{Dir: dir}).Addr(), 2)
	w.Append(1, time.Now().UnixNano(), nil, []byte("more"))
	must(t, w.Flush(within(t, 10*time.Second)))
	if got := count(t, conn, 2); got != 2 {
		t.Errorf("%d records, not 2", got)
	}
}

func TestTemporaryFolderIsRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	broker, err := embedded.Start(context.Background(), embedded.Options{})
	must(t, err)
	topicAndWriter(t, broker.Addr(), 1)
	must(t, broker.Close())
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	var port int
	if _, err := fmt.Sscanf(start(t, embedded.Options{}).Addr(), "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(context.Background(), embedded.Options{Port: port}); err == nil || !strings.Contains(err.Error(), "is the port taken") {
		t.Errorf("a taken port got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := embedded.Start(context.Background(), embedded.Options{Dir: file}); err == nil || !strings.Contains(err.Error(), "choose a folder") {
		t.Errorf("a file as folder got %v", err)
	}
}

// TestKillNine kills a broker process under load; the writer goes on when there
// is another one, and nothing is missing or doubled.
func TestKillNine(t *testing.T) {
	dir := t.TempDir()
	addr, kill := brokerChild(t, dir, 0)
	conn, w := topicAndWriter(t, addr, 2)
	const rounds = 300
	for i := range rounds {
		if i == rounds/2 {
			kill()
			var port int
			if _, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port); err != nil {
				t.Fatal(err)
			}
			brokerChild(t, dir, port)
		}
		w.Append(i%2, time.Now().UnixNano(), nil, []byte(strconv.Itoa(i)))
		must(t, w.Flush(within(t, 20*time.Second)))
	}
	seen := map[string]int{}
	ctx := within(t, 20*time.Second)
	first, next, err := kafka.Offsets(ctx, conn, "tape", 2)
	must(t, err)
	must(t, kafka.Range(ctx, conn, "tape", first, next, func(r kafka.Record) error { seen[string(r.Value)]++; return nil }))
	for i := range rounds {
		if n := seen[strconv.Itoa(i)]; n != 1 {
			t.Errorf("number %d is there %d times", i, n)
		}
	}
}

// brokerChild starts a broker process and returns its address and a kill -9.
func brokerChild(t *testing.T, dir string, port int) (string, func()) {
	t.Helper()
	child := exec.CommandContext(context.Background(), os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir, "TAPECAST_TEST_BROKER_PORT="+strconv.Itoa(port))
	input, err := child.StdinPipe()
	must(t, err)
	output, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	kill := func() {
		if child.ProcessState == nil {
			_ = child.Process.Kill()
			_ = child.Wait() // A killed child.
		}
	}
	t.Cleanup(func() { _ = input.Close(); kill() })
	addr, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || strings.HasPrefix(addr, "failed") {
		t.Fatalf("the broker process said %q, %v", addr, err)
	}
	return strings.TrimSpace(addr), kill
}

// TestDiskIsBounded writes four times what may be kept.
func TestDiskIsBounded(t *testing.T) {
	const lanes, limit = 2, 8 << 20
	dir := t.TempDir()
	broker := start(t, embedded.Options{Dir: dir, MaxBytes: limit})
	conn, w := topicAndWriter(t, broker.Addr(), lanes)
	value := make([]byte, 10<<10)
	for i := range 4 * limit / len(value) {
		w.Append(i%lanes, time.Now().UnixNano(), nil, value)
		if w.Buffered() == 20 {
			must(t, w.Flush(within(t, 10*time.Second)))
		}
	}
	const allowed = limit + (lanes+1)*limit/64
	eventually(t, "the log is cut", func() bool { return diskUse(t, dir) <= allowed })
	first, next, err := kafka.Offsets(within(t, 10*time.Second), conn, "tape", lanes)
	must(t, err)
	for lane := range lanes {
		if kept := next[lane] - first[lane]; kept < limit/lanes/int64(len(value))*3/4 {
			t.Errorf("lane %d keeps only %d records", lane, kept)
		}
	}
}

func diskUse(t *testing.T, dir string) (total int64) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreGone(err)
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return ignoreGone(err)
	}))
	return total
}

// ignoreGone is for files that the broker deletes meanwhile.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// TestCompactedTopicsStaySmall writes the same key again and again.
func TestCompactedTopicsStaySmall(t *testing.T) {
	dir := t.TempDir()
	broker := start(t, embedded.Options{Dir: dir, MaxBytes: 4 << 20})
	conn := kafka.Conn{Brokers: []string{broker.Addr()}}
	ctx := within(t, 20*time.Second)
	must(t, kafka.Ensure(ctx, conn, kafka.Topic{Name: "tape", Lanes: 1, Compact: true}))
	w, err := kafka.NewWriter(ctx, kafka.WriterOptions{Conn: conn, Topic: "tape", Lanes: 1})
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	value := make([]byte, 10<<10)
	for i := range 1000 {
		copy(value, strconv.Itoa(i)+" ")
		w.Append(0, 0, []byte("checkpoint"), value)
		must(t, w.Flush(ctx))
	}
	eventually(t, "the log is compacted", func() bool { return diskUse(t, dir) < 1<<20 })
	if n := count(t, conn, 1); n == 0 || n > 3 {
		t.Errorf("%d records are left of one key", n)
	}
}

// TestOldRecordsGo keeps a second and compacted topics for ever.
func TestOldRecordsGo(t *testing.T) {
	broker := start(t, embedded.Options{Retention: time.Second})
	conn, w := topicAndWriter(t, broker.Addr(), 1)
	ctx := within(t, 20*time.Second)
	must(t, kafka.Ensure(ctx, conn, kafka.Topic{Name: "state", Lanes: 1, Compact: true}))
	state, err := kafka.NewWriter(ctx, kafka.WriterOptions{Conn: conn, Topic: "state", Lanes: 1})
	must(t, err)
	t.Cleanup(func() { must(t, state.Close()) })
	for _, writer := range []*kafka.Writer{w, state} {
		writer.Append(0, time.Now().UnixNano(), []byte("key"), []byte("value"))
		must(t, writer.Flush(ctx))
	}
	eventually(t, "the old record goes", func() bool {
		first, next, err := kafka.Offsets(ctx, conn, "tape", 1)
		return err == nil && first[0] == 1 && next[0] == 1
	})
	if _, first, next, err := broker.Held("state", 0); first != 0 || next != 1 || err != nil {
		t.Errorf("the compacted topic has %d to %d, %v", first, next, err)
	}
}
