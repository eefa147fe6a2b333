# shellcheck shell=bash disable=SC2034,SC2154
# The two ported programs, with Python at the other end.
tools=(python3:python3)
modes=(chat tinydb)

begin() { :; }

try() {
    if [[ $mode == chat ]]; then
        listen chat_room && timeout "$bound" python3 - "$port" <<'PY'
import socket, sys

def join(name):
    file = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10).makefile("rwb", buffering=0)
    assert file.readline() == b"Please enter your username:\r\n"
    file.write(name + b"\n")
    return file

ann = join(b"ann")
bob = join(b"bob")
assert ann.readline() == b"bob has joined the chat\r\n"
ann.write(b"caf\xe9\n")
assert bob.readline() == b"ann: caf\xe9\r\n"
del bob
assert ann.readline() == b"bob has left the chat\r\n"
PY
    else
        listen tinydb && timeout "$bound" python3 - "$port" <<'PY'
import socket, sys

conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
conn.sendall(b"GET foo\nSET foo a b\nGET foo\nGET x\n")
file = conn.makefile("rb")
assert [file.readline() for _ in range(4)] == [
    b"foo = bar\r\n", b'set foo = `a b`, previous: Some("bar")\r\n', b"foo = a b\r\n", b"error: no key x\r\n"]
PY
    fi
}
