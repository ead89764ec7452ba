# Sourced by the checks that need a running demo: starts it on ports that the kernel gives, says where it is live, ends it whatever happens.
# The caller has set $dir, a folder of its own for logs and data.

job=
url=

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# start SECONDS COMMAND...: runs it in a process group of its own, as a terminal would, and waits until it says where it is live.
start() {
	local limit=$(($(now_ms) + $1 * 1000)) log=$dir/demo.log
	shift
	url=
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	job=$!
	set +m
	while [ -z "$url" ]; do
		url=$(sed -nE 's/^Tapecast is live: (http:[^ ]+).*/\1/p' "$log" | head -1)
		[ -n "$url" ] && break
		if ! kill -0 "$job" 2>/dev/null || [ "$(now_ms)" -gt "$limit" ]; then
			cat "$log" >&2
			fail "$* did not say 'Tapecast is live: http://...'; its output is above"
		fi
		sleep 0.02
	done
}

# interrupt: sends what Ctrl-C sends, and sets $took_ms and $code.
interrupt() {
	local begin
	begin=$(now_ms)
	kill -INT -- "-$job"
	while kill -0 -- "-$job" 2>/dev/null && [ $(($(now_ms) - begin)) -lt 10000 ]; do
		sleep 0.02
	done
	took_ms=$(($(now_ms) - begin))
	kill -KILL -- "-$job" 2>/dev/null && fail "Ctrl-C did not end the demo within 10 s"
	code=0
	wait "$job" || code=$?
	job=
}

# cleanup: for the caller's EXIT trap.
cleanup() {
	set +e
	if [ -n "$job" ]; then
		kill -TERM -- "-$job" 2>/dev/null
		for _ in {1..100}; do
			kill -0 -- "-$job" 2>/dev/null || break
			sleep 0.05
		done
		kill -KILL -- "-$job" 2>/dev/null
	fi
	chmod -R u+w "$dir" 2>/dev/null # Go writes its module cache read-only
	rm -rf "$dir"
}
