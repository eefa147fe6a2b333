#!/usr/bin/env bash
# Plays TLS against openssl and Python, on every runtime: `tests/real_peers.sh [RUNTIME..]`. One line for each
# check, a summary, and exit 1 if any failed. Every wait is bounded, and the runtimes run side by side.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tests/checks.sh
cargo build --quiet --locked -p asyncnet-conformance --example tls_peer || exit 1
peer=${CARGO_TARGET_DIR:-target}/debug/examples/tls_peer
ours=
theirs=

stop() {
    local pid
    for pid in $ours $theirs; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    ours=
    theirs=
}

# serve OPTION..: ours listens, at $port.
serve() {
    stop
    : >"$dir/ours"
    : >"$dir/theirs"
    timeout 60 "$peer" "$runtime" serve "$dir" "$@" >"$dir/ours" 2>&1 &
    ours=$!
    says ours '^port ' || return 1
    port=$(sed -n 's/^port //p' "$dir/ours")
}

# join ARGUMENT..: ours connects to $port, to its end.
join() {
    timeout 10 "$peer" "$runtime" connect "$dir" "$port" "$@" >"$dir/ours" 2>&1
}

# typed LINE..: one after the other, as a person types: openssl looks for commands in front of each read.
typed() {
    local line
    sleep 0.2
    for line; do
        printf '%s\n' "$line"
        sleep 0.1
    done
}

# s_client OPTION..: openssl connects to $port; its standard input is what is typed.
s_client() {
    timeout 10 openssl s_client -connect "127.0.0.1:$port" -servername server.test -CAfile "$server" \
        -verify_return_error -verify_hostname server.test "$@" >"$dir/theirs" 2>&1
}

# s_server OPTION..: openssl listens, at $port; its standard input is what is typed.
s_server() {
    stop
    : >"$dir/ours"
    : >"$dir/theirs"
    timeout 30 openssl s_server -accept 127.0.0.1:0 -cert "$server" -key "$dir/server.key" "$@" \
        <"${typed_to_server:-/dev/null}" >"$dir/theirs" 2>&1 &
    theirs=$!
    says theirs '^ACCEPT ' || return 1
    port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$dir/theirs" | head -n 1)
}

# ---- ours is the server ------------------------------------------------------------------------------

talks() { # VERSION
    serve || return 1
    typed one two quit | s_client "-tls1_${1#TLSv1.}" -quiet
    says theirs '^answer one' && says theirs '^answer two' && says ours "^secure $1 .*name=server.test" &&
        says ours '^closed Ok'
}

speaks_smtp() {
    serve --smtp || return 1
    typed one quit | s_client -starttls smtp -quiet
    says theirs '^answer one' && says ours '^closed Ok'
}

agrees_on_alpn() {
    serve --alpn imap --alpn smtp || return 1
    typed quit | s_client -alpn pop3,smtp
    says theirs 'ALPN protocol: smtp' && says ours 'alpn=smtp' || return 1
    typed quit | s_client -alpn pop3
    says theirs 'alert no application protocol'
}

resumes_theirs() { # VERSION
    serve || return 1
    rm -f "$dir/session"
    typed one quit | s_client "-tls1_${1#TLSv1.}" -sess_out "$dir/session" -ign_eof
    typed two quit | s_client "-tls1_${1#TLSv1.}" -sess_in "$dir/session" -ign_eof
    says theirs "^Reused, " && says theirs '^answer two' && says ours "^secure $1 resumed=true"
}

updates_keys_of_ours() {
    serve || return 1
    typed one K two k three k K four Q | s_client -tls1_3
    says theirs 'KEYUPDATE' && says theirs '^answer three' && says theirs '^answer four' && says ours '^end Eof 0'
}

renegotiates_not() {
    serve || return 1
    typed one R two quit | s_client -tls1_2
    says theirs '^answer one' && says theirs 'RENEGOTIATING' && says_not theirs '^answer two' &&
        says theirs 'no renegotiation' || return 1
    # It goes on with others.
    typed three quit | s_client -quiet
    says theirs '^answer three'
}

wants_a_certificate() {
    serve --clients required || return 1
    typed one quit | s_client -quiet -cert "$dir/client.pem" -key "$dir/client.key"
    says theirs '^answer one' && says ours 'certificates=1' || return 1
    typed one quit | s_client -quiet
    says theirs 'alert certificate required|alert number 116' && says_not theirs '^answer' || return 1
    typed one quit | s_client -quiet -cert "$dir/other.pem" -key "$dir/other.key"
    says theirs 'alert unknown ca|alert number 48' && says_not theirs '^answer' || return 1
    typed one quit | s_client -quiet -tls1_2
    says theirs 'alert certificate required|handshake failure|alert number' && says_not theirs '^answer'
}

may_want_a_certificate() {
    serve --clients optional || return 1
    typed one quit | s_client -quiet
    says theirs '^answer one' && says ours 'certificates=0'
}

sends_a_megabyte() {
    serve || return 1
    typed megabyte quit | s_client -quiet
    within test "$(tr -cd . <"$dir/theirs" | wc -c)" -ge 1048576
}

exports_the_same_key() {
    serve || return 1
    typed quit | s_client -keymatexport EXPORTER-test -keymatexportlen 32
    local key
    key=$(sed -n 's/ *Keying material: //p' "$dir/theirs" | head -n 1)
    [[ -n $key ]] && says ours "exported=$key"
}

logs_the_same_keys() {
    rm -f "$dir/keys.ours" "$dir/keys.theirs"
    SSLKEYLOGFILE=$dir/none serve || return 1
    typed quit | s_client
    [[ ! -e $dir/none ]] || return 1
    SSLKEYLOGFILE=$dir/keys.ours serve --key-log || return 1
    typed quit | s_client -keylogfile "$dir/keys.theirs"
    says keys.ours '^SERVER_TRAFFIC_SECRET_0 ' &&
        [[ $(grep TRAFFIC_SECRET "$dir/keys.ours" | sort) == $(grep TRAFFIC_SECRET "$dir/keys.theirs" | sort) ]]
}

# ---- ours is the client ------------------------------------------------------------------------------

joins() { # VERSION
    s_server "-tls1_${1#TLSv1.}" -rev || return 1
    join abc def
    says ours '^got cba' && says ours '^got fed' && says ours "^secure $1 .*certificates=1" &&
        says ours '^closed Ok'
}

resumes_ours() { # VERSION
    s_server "-tls1_${1#TLSv1.}" -rev || return 1
    join --times 2 abc
    says ours "^secure $1 resumed=false" && says ours "^secure $1 resumed=true"
}

shows_a_certificate() {
    s_server -rev -Verify 1 -CAfile "$dir/client.pem" -verify_return_error || return 1
    join --identity abc
    says ours '^got cba' || return 1
    join abc
    says ours 'Alert\(116\)' && says_not ours '^got'
}

offers_alpn() {
    s_server -rev -alpn smtp,imap || return 1
    join --alpn imap abc
    says ours 'alpn=imap'
}

trusts_nobody_else() {
    stop
    timeout 30 openssl s_server -accept 127.0.0.1:0 -cert "$dir/other.pem" -key "$dir/other.key" -rev \
        </dev/null >"$dir/theirs" 2>&1 &
    theirs=$!
    says theirs '^ACCEPT ' || return 1
    port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$dir/theirs" | head -n 1)
    join abc
    says ours 'UnknownIssuer' && says theirs 'alert unknown ca'
}

is_made_to_update_keys() {
    rm -f "$dir/typed"
    mkfifo "$dir/typed"
    # It types once there is somebody to talk to.
    { within grep -q '^secure' "$dir/ours" && typed one K two k three Q; } >"$dir/typed" 2>/dev/null &
    local typist=$!
    typed_to_server=$dir/typed s_server -tls1_3 || return 1
    join --wait
    wait "$typist"
    # Its Q leaves without a close notice.
    says ours '^got three' && says theirs 'SSL_do_handshake -> 1' && says ours '^end '
}

# ---- Python ------------------------------------------------------------------------------------------

# python_server END: it takes one client, reads a line, answers and ends like that.
python_server() {
    stop
    : >"$dir/ours"
    cat >"$dir/server.py" <<'PYTHON'
import socket, ssl, struct, sys, time
directory, end = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(directory + "/server.pem", directory + "/server.key")
listener = socket.create_server(("127.0.0.1", 0))
listener.settimeout(10)
print("port", listener.getsockname()[1], flush=True)
plain, _ = listener.accept()
plain.settimeout(10)
if end == "slow":
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
secure = context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)
if end == "slow":
    total = 0
    while part := secure.recv(4096):
        total += len(part)
        time.sleep(0.005)
    print("total", total, flush=True)
    sys.exit()
secure.recv(100)
secure.sendall(b"answer\nunfinished")
if end == "unwrap":
    # It waits for the other end's notice.
    secure.unwrap().close()
elif end == "abrupt":
    secure.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
elif end == "reset":
    time.sleep(0.3)
    secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    secure.close()
print("ended", flush=True)
PYTHON
    timeout 20 python3 "$dir/server.py" "$dir" "$1" >"$dir/theirs" 2>&1 &
    theirs=$!
    says theirs '^port ' || return 1
    port=$(sed -n 's/^port //p' "$dir/theirs")
}

meets_an_end_of_python() { # END CAUSE
    python_server "$1" || return 1
    join --wait question
    says ours '^got answer' && says ours "^end $2 10" && says theirs '^ended'
}

is_read_slowly_by_python() {
    python_server slow || return 1
    join --send 200001
    says ours '^closed Ok' && says theirs '^total 200001$'
}

# python_client END: it says a line and a half, reads an answer and ends like that.
is_left_by_python() { # END CAUSE
    serve || return 1
    cat >"$dir/client.py" <<'PYTHON'
import socket, ssl, struct, sys, time
directory, port, end = sys.argv[1:]
context = ssl.create_default_context(cafile=directory + "/server.pem")
plain = socket.create_connection(("127.0.0.1", int(port)), timeout=10)
secure = context.wrap_socket(plain, server_hostname="server.test", suppress_ragged_eofs=False)
secure.sendall(b"question\nunfinished")
print(secure.recv(100).decode(), flush=True)
if end == "unwrap":
    secure.unwrap().close()
elif end == "abrupt":
    secure.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
elif end == "reset":
    time.sleep(0.3)
    secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    secure.close()
PYTHON
    timeout 10 python3 "$dir/client.py" "$dir" "$port" "$1" >"$dir/theirs" 2>&1
    says theirs '^answer question' && says ours "^end $2 10"
}

# ---- all of it ---------------------------------------------------------------------------------------

with_openssl() {
    local version
    for version in TLSv1.3 TLSv1.2; do
        check "s_client talks ($version)" talks "$version"
        check "s_client resumes ($version)" resumes_theirs "$version"
        check "s_server is talked to ($version)" joins "$version"
        check "a session with s_server is resumed ($version)" resumes_ours "$version"
    done
    check "s_client -starttls smtp" speaks_smtp
    check "s_client -alpn, one in common and none" agrees_on_alpn
    check "s_client updates keys (K, k)" updates_keys_of_ours
    check "s_client renegotiates (R) and is refused" renegotiates_not
    check "s_client with a certificate, without, and with a stranger's" wants_a_certificate
    check "s_client without a certificate where it may" may_want_a_certificate
    check "s_client gets a megabyte" sends_a_megabyte
    check "s_client exports the same key" exports_the_same_key
    check "s_client logs the same keys" logs_the_same_keys
    check "s_server -Verify, with a certificate and without" shows_a_certificate
    check "s_server -alpn" offers_alpn
    check "s_server with a stranger's certificate is refused" trusts_nobody_else
    check "s_server updates keys (K, k)" is_made_to_update_keys
}

with_python() {
    local pair
    for pair in unwrap:Eof abrupt:Truncated 'reset:Lost\(Reset\)'; do
        check "a Python server ends: ${pair%%:*}" meets_an_end_of_python "${pair%%:*}" "${pair#*:}"
        check "a Python client ends: ${pair%%:*}" is_left_by_python "${pair%%:*}" "${pair#*:}"
    done
    check "a slow Python server gets every byte" is_read_slowly_by_python
}

# Everything on $runtime, in a directory of its own.
everything() {
    dir=$(mktemp -d) || exit 1
    server=$dir/server.pem
    trap 'stop; rm -rf "$dir"' EXIT
    "$peer" certificates "$dir" || exit 1
    if have openssl; then with_openssl; else skip "$runtime: openssl not found"; fi
    if have python3; then with_python; else skip "$runtime: python3 not found"; fi
    verdict
}

on_each_runtime everything "$@"
