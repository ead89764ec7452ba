module github.com/tapecast/tapecast/deploy/bench/gws

go 1.26.0

require (
	github.com/lxzan/gws v1.8.9
	github.com/tapecast/tapecast/deploy/bench/intake v0.0.0
)

require (
	github.com/dolthub/maphash v0.1.0 // indirect
	github.com/klauspost/compress v1.17.9 // indirect
)

replace github.com/tapecast/tapecast/deploy/bench/intake => ../intake
