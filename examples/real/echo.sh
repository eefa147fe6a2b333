# The echo server with Python at the other end.
modes=(plain tls)

begin() { :; }

try() {
    local options=()
    [[ $mode == plain ]] || options=(--tls --cert "$cert" --key "$key")
    listen echo "${options[@]}" && timeout "$bound" python3 - "$mode" "$port" "$cert" <<'END'
import socket, ssl, sys

mode, port, cert = sys.argv[1:]
conn = socket.create_connection(("127.0.0.1", int(port)))
if mode == "tls":
    conn = ssl.create_default_context(cafile=cert).wrap_socket(conn, server_hostname="localhost")
conn.sendall(b"one\r\n\r\ntwo\r\n")
file = conn.makefile("rb")
assert [file.readline() for _ in range(3)] == [b"one\r\n", b"\r\n", b"two\r\n"]
END
}
