# shellcheck shell=bash disable=SC2034,SC2154
# nats-server: plain, with TLS behind its first line, and killed and started anew under a client.
tools=(nats-server:nats-server)
modes=(plain tls killed)

# serve_nats PORT ARGS..
serve_nats() {
    background nats-server -a 127.0.0.1 -p "$@"
    nats_server=$!
}

begin() {
    nats_port=$(free_port) nats_tls_port=$(free_port)
    serve_nats "$nats_port"
    serve_nats "$nats_tls_port" --tls --tlscert "$cert" --tlskey "$key"
    wait_port "$nats_port" && wait_port "$nats_tls_port"
}

nats() {
    if [[ $mode == tls ]]; then
        program nats --connect "localhost:$nats_tls_port" --tls --ca "$cert" "$@"
    else
        program nats --connect "127.0.0.1:$nats_port" "$@"
    fi
}

persist() {
    local port said=$dir/persist-$runtime
    port=$(free_port)
    # No server is there yet: the first connect is tried again too.
    program nats --connect "127.0.0.1:$port" persist a.b --count 2000 >"$said" 2>&1 &
    local client=$!
    wait_line 'the next try is in' "$said" && serve_nats "$port" && wait_line '^connected' "$said" || return
    sleep 0.3
    kill -9 "$nats_server"
    wait_line '^the .*lost' "$said" && serve_nats "$port" && wait "$client" || return
    kill "$nats_server"
    cat "$said"
    [[ $(grep -c '^connected' "$said") -ge 2 ]] && grep '^published 2000 messages' "$said"
}

try() {
    if [[ $mode == killed ]]; then
        persist
        return
    fi
    local heard=$dir/heard-$mode-$runtime subject=$mode.$runtime
    nats load 100000 || return
    nats sub "$subject.>" --count 1 >"$heard" &
    local subscriber=$!
    # A subscription is not confirmed: say it until it was heard.
    wait_for 'a message' heard && wait "$subscriber" && grep -Fx "$subject.x: it rains [A: b]" "$heard"
}

heard() {
    nats pub "$subject.x" 'it rains' --header 'A: b' && [[ -s $heard ]]
}
