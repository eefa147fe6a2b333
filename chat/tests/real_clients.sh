#!/usr/bin/env bash
# The chat with clients that nobody here wrote, on every runtime.
#
#   real_clients.sh         then a crowd of 40 clients for 5 seconds on each runtime
#   real_clients.sh full    .. of 200 clients for 20 seconds
#
# nc, ncat, socat and Python's asyncio streams each say a few lines, and have to get everything that all of
# them say. Then comes the crowd (crowd.py). In a second room ncat, openssl, socat and `join` do the same over TLS.
# A tool that is missing is skipped; Python has to be there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

case ${1:-short} in
    short) clients=40 seconds=5 ;;
    full) clients=200 seconds=20 ;;
    *)
        echo "usage: real_clients.sh [full]" >&2
        exit 2
        ;;
esac
says=20 # lines, each tool
bound=$((seconds + 90))

fail() {
    echo "error: $*" >&2
    exit 1
}

dir=$(mktemp -d)
server=
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$dir"' EXIT

# wait_for WHAT COMMAND..
wait_for() {
    for _ in {1..300}; do
        if "${@:2}"; then return; fi
        sleep 0.1
    done
    fail "$runtime: waited in vain for $1"
}

# start OPTION..
start() {
    rm -f "$dir/stdout"
    "$chat" serve --listen 127.0.0.1:0 --runtime "$runtime" "$@" >"$dir/stdout" 2>"$dir/log" &
    server=$!
    wait_for "the server to listen" grep -sq '^join' "$dir/stdout"
    address=$(sed -n '1s/^listening on //p' "$dir/stdout")
}

stop() {
    kill "$server"
    wait "$server" || fail "$runtime: the server ended with status $?"
    ! grep panicked "$dir/log" || fail "$runtime: the server panicked"
}

streams='
import asyncio, sys

async def main(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    typed = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(typed)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    async def say():
        async for line in typed:
            writer.write(line)
            await writer.drain()
        writer.write_eof()
    saying = asyncio.create_task(say())
    async for line in reader:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    await saying

asyncio.run(main(*sys.argv[1:]))
'

# connect TOOL HOST PORT: its standard input to the room and the room to its standard output.
connect() {
    case $1 in
        nc) timeout "$bound" nc -N "$2" "$3" ;;
        ncat) timeout "$bound" ncat "$2" "$3" ;;
        socat) timeout "$bound" socat -t "$bound" - "TCP:$2:$3" ;;
        tlsncat)
            # It looks for names alone, and the certificate has the address as an address.
            timeout "$bound" ncat --ssl-verify --ssl-trustfile "$ca" --ssl-servername localhost "$2" "$3"
            ;;
        tlsopenssl)
            timeout "$bound" openssl s_client -quiet -no_ign_eof -verify_return_error -CAfile "$ca" \
                -connect "$2:$3" 2>/dev/null
            ;;
        tlssocat) timeout "$bound" socat -t "$bound" - "OPENSSL:$2:$3,cafile=$ca" ;;
        tlsjoin) timeout "$bound" "$chat" join --tls --ca "$ca" "$2:$3" | sed -u 's/$/\r/' ;;
        asyncio) timeout "$bound" python3 -c "$streams" "$2" "$3" ;;
    esac
}

has_heard() {
    (($(grep -cE '^[a-z]+ [0-9]+' "$dir/$1.out") == says * ${#tools[@]}))
}

# Each tool says its lines, and has to get those of all, in order, ended by CR LF, and then the end.
try_tools() {
    local tool other fd line i pids=() fds=()
    for tool in "${tools[@]}"; do
        rm -f "$dir/$tool".*
        mkfifo "$dir/$tool.in"
        connect "$tool" "${address%:*}" "${address##*:}" <"$dir/$tool.in" >"$dir/$tool.out" &
        pids+=($!)
    done
    # Opened when all are started: none may inherit the input of another.
    for tool in "${tools[@]}"; do
        exec {fd}>"$dir/$tool.in"
        fds+=("$fd")
        echo "$tool is here" >&"$fd"
    done
    for tool in "${tools[@]}"; do
        wait_for "$tool to join" grep -sq "^$tool is here" "$dir/$tool.out"
    done
    for ((line = 1; line <= says; line++)); do
        for i in "${!tools[@]}"; do
            echo "${tools[i]} $line" >&"${fds[i]}"
        done
    done
    for tool in "${tools[@]}"; do
        wait_for "$tool to hear everything" has_heard "$tool"
    done
    for fd in "${fds[@]}"; do
        exec {fd}>&-
    done
    for i in "${!tools[@]}"; do
        wait "${pids[i]}" || fail "$runtime: ${tools[i]} ended with status $?"
    done
    for tool in "${tools[@]}"; do
        for other in "${tools[@]}"; do
            seq -f "$other %.0f"$'\r' "$says" | diff - <(grep -E "^$other [0-9]" "$dir/$tool.out") ||
                fail "$runtime: $tool heard something else than what $other said"
        done
    done
}

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or later is needed"
tools=(asyncio)
secure=(tlsjoin)
for tool in nc ncat socat openssl; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool not found"
        continue
    fi
    case $tool in
        nc) tools+=(nc) ;;
        openssl) secure+=(tlsopenssl) ;;
        *) tools+=("$tool") secure+=("tls$tool") ;;
    esac
done
plain=("${tools[@]}")
ca=$dir/ca.pem

cargo build --release --locked --quiet -p asyncnet-chat
chat=${CARGO_TARGET_DIR:-target}/release/asyncnet-chat

table='%-10s %8s %8s %12s %6s %11s %10s %8s %11s\n'
printf "heard each other on every runtime: %s, and %s\n" "${plain[*]}" "${secure[*]}" >"$dir/summary"
printf "$table" runtime clients lines deliveries lost duplicated reordered damaged 'thrown out' >>"$dir/summary"
failed=
for runtime in tokio async-std smol; do
    start --tls-self-signed --cert-out "$ca"
    tools=("${secure[@]}")
    try_tools
    stop
    start
    tools=("${plain[@]}")
    try_tools
    row=$(timeout "$bound" python3 chat/tests/crowd.py "$address" --clients "$clients" --seconds "$seconds" --seed 1) ||
        failed+=" $runtime"
    printf "$table" "$runtime" $row >>"$dir/summary"
    stop
done
cat "$dir/summary"
[[ -z $failed ]] || fail "not every line came exactly once and in order:$failed"
