#!/usr/bin/env bash
# browser.sh REPORT: the page's browser tests against a demo of this tree's bin/tapecast, on ports that the kernel gives.
set -euo pipefail
cd "$(dirname "$0")/../.."
report=$1
dir=$(mktemp -d)
. deploy/check/live.sh
trap cleanup EXIT

start 30 bin/tapecast demo --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --kafka-listen 127.0.0.1:0 --data "$dir/data"
curl -fsS --retry 60 --retry-delay 1 --retry-all-errors --max-time 60 -o /dev/null "$url/readyz" || fail "$url/readyz did not become ready in 60 s"

code=0
TAPECAST_URL=$url PLAYWRIGHT_JSON_OUTPUT_FILE=$report npm --prefix ui run test:browser -- --reporter=list,json || code=$?
if [ "$code" != 0 ]; then
	echo "the demo's last lines:"
	tail -20 "$dir/demo.log"
fi
exit "$code"
