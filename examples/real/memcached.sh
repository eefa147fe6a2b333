# shellcheck shell=bash disable=SC2034,SC2154
# memcached, in plain: Debian's has no TLS.
tools=(memcached:memcached)

begin() {
    cache_port=$(free_port)
    background memcached -u nobody -l 127.0.0.1 -p "$cache_port"
    wait_port "$cache_port"
}

cache() {
    program memcached --connect "127.0.0.1:$cache_port" "$@"
}

try() {
    local value=$'a\r\nEND\r\nVALUE key 0 1'
    cache set key "$value" && [[ $(cache get key) == "$value" ]] &&
        cache get none | grep 'there is no such key' && cache load 10000
}
