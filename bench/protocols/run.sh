#!/usr/bin/env bash
# Starts redis-server and nats-server on loopback, and runs the race. Ends with an error if a server is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
cargo build --release --quiet
redis=$(free_port) nats=$(free_port)
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
PATH=$PATH:/usr/sbin
redis-server --bind 127.0.0.1 --port "$redis" --save '' >/dev/null &
nats-server -a 127.0.0.1 -p "$nats" >/dev/null 2>&1 &
for port in "$redis" "$nats"; do
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
done
"${CARGO_TARGET_DIR:-target}/release/asyncnet-bench-protocols" "127.0.0.1:$redis" "127.0.0.1:$nats" "$@"
