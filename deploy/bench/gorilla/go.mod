module github.com/tapecast/tapecast/deploy/bench/gorilla

go 1.26.0

require github.com/tapecast/tapecast/deploy/bench/intake v0.0.0

require github.com/gorilla/websocket v1.5.3

replace github.com/tapecast/tapecast/deploy/bench/intake => ../intake
