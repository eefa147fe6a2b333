#!/usr/bin/env bash
# Plays what an operator does, on every runtime: `tests/operator.sh [RUNTIME..]`. haproxy stands in front of the server,
# in plain and over TLS; a supervisor passes it its socket, and restarts it under load $RESTARTS times (default 5). One
# line for each check, a summary, and exit 1 if any failed. Every wait is bounded, and the runtimes run side by side.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tests/checks.sh
cargo build --quiet --locked -p asyncnet-conformance --example served --example tls_peer || exit 1
programs=${CARGO_TARGET_DIR:-target}/debug/examples
restarts=${RESTARTS:-5}
ours=
theirs=

stop() {
    local pid
    for pid in $theirs $ours; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    ours=
    theirs=
}

# serve OPTION..: ours listens, at $port.
serve() {
    stop
    : >"$dir/ours"
    timeout 60 "$programs/served" "$runtime" 127.0.0.1:0 "$@" >"$dir/ours" 2>&1 &
    ours=$!
    says ours '^listening on ' || return 1
    port=$(sed -n 's/^listening on .*://p' "$dir/ours")
}

# free_port: a port that nobody listens at.
free_port() {
    python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

# haproxy_with OPTION..: it passes what comes to $front on to $port, as these options of a server say.
haproxy_with() {
    front=$(free_port)
    cat >"$dir/haproxy.cfg" <<CFG
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend front
    bind 127.0.0.1:$front
    default_backend back
backend back
    server ours 127.0.0.1:$port $*
CFG
    : >"$dir/theirs"
    timeout 60 haproxy -db -f "$dir/haproxy.cfg" >"$dir/theirs" 2>&1 &
    theirs=$!
    within python3 -c "import socket; socket.create_connection(('127.0.0.1', $front), 1)"
}

# ask PORT [CA]: sends a line, and says the answer and our own port.
ask() {
    timeout 10 python3 - "$@" <<'PYTHON'
import socket, ssl, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
port = sock.getsockname()[1]
if len(sys.argv) > 2:
    sock = ssl.create_default_context(cafile=sys.argv[2]).wrap_socket(sock, server_hostname="server.test")
sock.sendall(b"hello\n")
print(sock.makefile("rb").readline().decode().strip(), "port", port)
PYTHON
}

# is_told WHO VIA ARGUMENT..: the server says that the peer is WHO (its own port is PORT) and comes through VIA.
is_told() {
    local answer port_of
    answer=$(ask "${@:3}") || return 1
    echo "$answer"
    port_of=${answer##* }
    grep -Eq "^hello from ${1//PORT/$port_of} via $2 port $port_of\$" <<<"$answer"
}

# ---- haproxy -----------------------------------------------------------------------------------------

through_haproxy() { # OPTION VIA [CA]
    serve ${1:+--proxy} ${3:+--tls "$dir"} && haproxy_with $1 || return 1
    local who=127.0.0.1:PORT
    # Without a header, the peer is haproxy.
    [[ -n $1 ]] || who='127.0.0.1:[0-9]+'
    is_told "$who" "$2" "$front" ${3:+"$3"}
}

refuses_who_has_no_header() {
    serve --proxy || return 1
    ! ask "$port"
}

survives_health_checks() {
    # A version 2 check says LOCAL, and leaves.
    serve --proxy && haproxy_with send-proxy-v2 check check-send-proxy inter 50ms || return 1
    sleep 0.5
    is_told 127.0.0.1:PORT '127.0.0.1:[0-9]+' "$front"
}

with_haproxy() {
    local via='127.0.0.1:[0-9]+'
    check "behind haproxy, without a header" through_haproxy "" "no proxy"
    check "behind haproxy, version 1" through_haproxy send-proxy "$via"
    check "behind haproxy, version 2" through_haproxy send-proxy-v2 "$via"
    check "behind haproxy, version 1, TLS" through_haproxy send-proxy "$via" "$dir/server.pem"
    check "behind haproxy, version 2, TLS" through_haproxy send-proxy-v2 "$via" "$dir/server.pem"
    check "behind haproxy that checks its health" survives_health_checks
    check "a peer without a header is refused" refuses_who_has_no_header
}

# ---- the supervisor ----------------------------------------------------------------------------------

is_activated() {
    stop
    : >"$dir/ours"
    port=$(free_port)
    timeout 30 systemd-socket-activate --fdname=chat -l "127.0.0.1:$port" \
        "$programs/served" "$runtime" fd:chat >"$dir/ours" 2>&1 &
    ours=$!
    within python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" || return 1
    is_told 127.0.0.1:PORT "no proxy" "$port"
}

# A supervisor that restarts the server again and again, and clients that never stop to come.
is_restarted_under_load() {
    timeout $((30 + restarts * 3)) python3 - "$restarts" "$programs/served" "$runtime" <<'PYTHON'
import os, signal, socket, subprocess, sys, threading
restarts, program = int(sys.argv[1]), sys.argv[2:3]
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
port = listener.getsockname()[1]
served, failed, stop = [0], [], threading.Event()

# Descriptor 3 is the first that is passed in.
if listener.fileno() != 3:
    os.dup2(listener.fileno(), 3)
# Only the child knows its number.
script = 'import os, sys; os.environ["LISTEN_PID"] = str(os.getpid()); os.execv(sys.argv[1], sys.argv[1:])'
environment = dict(os.environ, LISTEN_FDS="1", LISTEN_FDNAMES="chat")

def start():
    child = subprocess.Popen(
        [sys.executable, "-c", script, *program, sys.argv[3], "fd:chat"],
        pass_fds=(3,), env=environment, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline().startswith("listening on"), "it does not listen"
    return child

def come():
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as peer:
                peer.sendall(b"hello\n")
                assert peer.makefile("rb").readline().startswith(b"hello from"), "no answer"
            served[0] += 1
        except Exception as error:
            failed.append(repr(error))
            return

server = start()
clients = [threading.Thread(target=come) for _ in range(8)]
for client in clients:
    client.start()
for _ in range(restarts):
    successor = start()
    server.send_signal(signal.SIGTERM)
    said = server.stdout.read()
    assert server.wait(20) == 0 and "aborted: 0, left: 0" in said, said
    server = successor
stop.set()
for client in clients:
    client.join()
server.send_signal(signal.SIGTERM)
server.wait(20)
print(served[0], "served,", len(failed), "failed:", *failed[:3])
sys.exit(bool(failed) or served[0] < restarts)
PYTHON
}

with_supervisor() {
    if have systemd-socket-activate; then
        check "systemd-socket-activate passes the socket in" is_activated
    else
        skip "$runtime: systemd-socket-activate not found"
    fi
    check "restarted $restarts times under load, no connection refused" is_restarted_under_load
}

# ---- all of it ---------------------------------------------------------------------------------------

# Everything on $runtime, in a directory of its own.
everything() {
    dir=$(mktemp -d) || exit 1
    trap 'stop; rm -rf "$dir"' EXIT
    "$programs/tls_peer" certificates "$dir" || exit 1
    if have python3; then
        if have haproxy; then with_haproxy; else skip "$runtime: haproxy not found"; fi
        with_supervisor
    else
        skip "$runtime: python3 not found"
    fi
    verdict
}

on_each_runtime everything "$@"
