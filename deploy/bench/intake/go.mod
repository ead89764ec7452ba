module github.com/tapecast/tapecast/deploy/bench/intake

go 1.26.0
