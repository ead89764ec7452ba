package bench

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(tests{m},
		// The web framework's own, of the server that is loaded.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// tests closes what the tests' client keeps open, before it is looked for.
type tests struct{ *testing.M }

// Run runs the tests.
func (m tests) Run() int {
	defer http.DefaultClient.CloseIdleConnections()
	return m.M.Run()
}
