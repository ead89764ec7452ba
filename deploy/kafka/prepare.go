package kafkatest

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed server.properties.tmpl
var serverProperties string

// clusterID is any 16 bytes in base64; the folder is what tells brokers apart.
const clusterID = "VGFwZWNhc3RUZXN0S2Fma2E"

// prepare picks the ports, writes the configuration and formats a new folder.
func (b *Broker) prepare(ctx context.Context) (err error) {
	if b.options.Dir == "" {
		if b.options.Dir, err = os.MkdirTemp("", "tapecast-broker-"); err != nil {
			return err
		}
		b.temporary = true
	}
	for _, port := range []*int{&b.options.Port, &b.controller, &b.sasl} {
		if *port == 0 {
			if *port, err = freePort(ctx); err != nil {
				return err
			}
		}
	}
	if err := b.writeProperties(); err != nil {
		return err
	}
	if _, err := os.Stat(b.path("log/meta.properties")); err == nil {
		return nil
	}
	return b.format(ctx)
}

func (b *Broker) writeProperties() error {
	page, err := template.New("server.properties").Parse(serverProperties)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	err = page.Execute(&text, map[string]any{
		"Port": b.options.Port, "ControllerPort": b.controller, "SASLPort": b.sasl,
		"Users": b.options.Users, "LogDir": b.path("log"),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(b.path("server.properties"), text.Bytes(), 0o600)
}

// format makes the folder one that Kafka starts from, with the SCRAM users.
func (b *Broker) format(ctx context.Context) error {
	args := []string{"kafka.tools.StorageTool", "format", "-t", clusterID, "-c", b.path("server.properties")}
	for _, u := range b.options.Users {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, u.Name, u.Password))
		}
	}
	if out, err := b.java(ctx, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("kafkatest: formatting %s: %w\n%s", b.options.Dir, err, out)
	}
	return nil
}

// checkProcess makes sure that the child is still the java process that runs
// this broker's configuration.
func (b *Broker) checkProcess() error {
	line, err := commandLine(b.Pid())
	if err != nil {
		return fmt.Errorf("kafkatest: can't tell what process %d is: %w", b.Pid(), err)
	}
	if !strings.Contains(line, "java") || !strings.Contains(line, "kafka.Kafka") || !strings.Contains(line, b.path("server.properties")) {
		return fmt.Errorf("kafkatest: process %d is not our broker, but %q", b.Pid(), line)
	}
	return nil
}

// commandLine returns the program and arguments of a process.
func commandLine(pid int) (string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil {
		return string(bytes.ReplaceAll(raw, []byte{0}, []byte{' '})), nil
	}
	out, err := exec.CommandContext(context.Background(), "ps", "-o", "args=", "-p", fmt.Sprint(pid)).Output() // No /proc on this system.
	return string(out), err
}

// logTail is the end of the broker's output, for error texts.
func (b *Broker) logTail() string {
	raw, err := os.ReadFile(b.path("broker.log"))
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-2000):])
}

// fetchLibs returns the folder with Kafka's jars, which Maven fills once.
func fetchLibs(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", fmt.Errorf("%w: java is not installed (17 or newer is needed)", ErrUnavailable)
	}
	home, err := here()
	if err != nil {
		return "", err
	}
	libs := filepath.Join(home, "libs")
	if jars, _ := filepath.Glob(filepath.Join(libs, "kafka_*.jar")); len(jars) > 0 {
		return libs, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", fmt.Errorf("%w: mvn is not installed, and %s has no jars", ErrUnavailable, libs)
	}
	return libs, fetch(ctx, home, libs)
}

// fetch runs Maven into a folder of its own, so that test binaries that fetch
// at the same time don't see half of it.
func fetch(ctx context.Context, home, libs string) error {
	staging, err := os.MkdirTemp(home, "libs.tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging) //nolint:errcheck // Gone already if all went well.
	maven := exec.CommandContext(ctx, "mvn", "-q", "-B", "-ntp", "-f", filepath.Join(home, "pom.xml"),
		"org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+staging)
	if out, err := maven.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: mvn can't fetch its jars: %w\n%s", ErrUnavailable, err, out)
	}
	_ = os.Remove(libs) // An empty folder is in the way of the rename.
	if err := os.Rename(staging, libs); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// here finds deploy/kafka from the folder of a test, which is in the module.
func here() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		home := filepath.Join(dir, "deploy", "kafka")
		if _, err := os.Stat(filepath.Join(home, "pom.xml")); err == nil {
			return home, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("kafkatest: no deploy/kafka/pom.xml in this folder or above: run it within the module")
		}
		dir = up
	}
}
