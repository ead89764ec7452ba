package kafkatest

import (
	"os"
	"os/exec"
	"testing"
)

// CheckOwn runs the check before a kill on the test process itself.
func CheckOwn(t *testing.T) error {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{options: Options{Dir: t.TempDir()}, child: &exec.Cmd{Process: self}}
	return b.checkProcess()
}
