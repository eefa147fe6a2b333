# shellcheck shell=bash disable=SC2034,SC2154
# The programs without a runtime: the client with our echo server on each runtime, the server with Python.
tools=(python3:python3)
modes=(plain tls server)

begin() { :; }

try() {
    case $mode in
        plain) listen echo && timeout "$bound" "$programs/no_runtime" ask "$address" one two >"$dir/said" ;;
        tls)
            listen echo --tls --cert "$cert" --key "$key" &&
                timeout "$bound" "$programs/no_runtime" ask "localhost:$port" one two --tls --ca "$cert" >"$dir/said"
            ;;
        server)
            # It has no runtime to choose.
            local said=$dir/server-$runtime
            "$programs/no_runtime" serve 127.0.0.1:0 >"$said" 2>&1 &
            server=$!
            wait_line '^listening on' "$said" && python3 - "$(sed -n 's/^listening on //p' "$said")" >"$dir/said" <<'PY'
import socket, sys

host, port = sys.argv[1].split(":")
conn = socket.create_connection((host, int(port)), 10)
conn.sendall(b"one\ntwo\n")
conn.shutdown(socket.SHUT_WR)
print(conn.makefile().read(), end="")
PY
            ;;
    esac && [[ $(<"$dir/said") == $'one\ntwo' ]]
}
