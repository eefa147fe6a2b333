# shellcheck shell=bash disable=SC2034,SC2154
# Redis: plain, and TLS from the first byte.
tools=(redis-server:redis-server)
modes=(plain tls)

begin() {
    redis_port=$(free_port) redis_tls_port=$(free_port)
    background redis-server --bind 127.0.0.1 --port "$redis_port" --save '' --dir "$dir" --tls-port "$redis_tls_port" \
        --tls-cert-file "$cert" --tls-key-file "$key" --tls-auth-clients no --tls-ca-cert-file "$cert"
    wait_port "$redis_port" && wait_port "$redis_tls_port"
}

redis() {
    if [[ $mode == tls ]]; then
        program resp --connect "localhost:$redis_tls_port" --tls --ca "$cert" "$@"
    else
        program resp --connect "127.0.0.1:$redis_port" "$@"
    fi
}

try() {
    local channel=$mode-$runtime heard=$dir/heard-$mode-$runtime
    redis call SET key $'a\r\nb' | grep -Fx 'Simple("OK")' &&
        redis call GET key | grep -Fx 'Bulk(Some(b"a\r\nb"))' &&
        redis call EVAL 'return {1,{2,"x",{}},false}' 0 |
        grep -Fx 'Array(Some([Int(1), Array(Some([Int(2), Bulk(Some(b"x")), Array(Some([]))])), Bulk(None)]))' &&
        redis call NONSENSE | grep 'Error("ERR unknown command' &&
        redis load 10000 &&
        redis big 33554432 || return
    redis subscribe "$channel" --count 1 >"$heard" &
    wait_line Int "$heard" && redis call PUBLISH "$channel" hello && wait_line 'Some(b"hello")' "$heard"
}
