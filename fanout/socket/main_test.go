package socket

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// crowdEnv makes the test binary a crowd of clients: "address count TLS".
const crowdEnv = "TAPECAST_TEST_CROWD"

func TestMain(m *testing.M) {
	if what := os.Getenv(crowdEnv); what != "" {
		if err := crowd(what); err != nil {
			fmt.Fprintln(os.Stderr, "crowd:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
