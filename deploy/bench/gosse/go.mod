module github.com/tapecast/tapecast/deploy/bench/gosse

go 1.26.0

require github.com/tapecast/tapecast/deploy/bench/intake v0.0.0

require github.com/tmaxmax/go-sse v0.12.0

replace github.com/tapecast/tapecast/deploy/bench/intake => ../intake
