# shellcheck shell=bash disable=SC2034,SC2154
# The two ported programs, with Python at the other end.
tools=(python3:python3)
modes=(chat tinydb)

begin() { :; }

try() {
    if [[ $mode == chat ]]; then
        listen chat_room && timeout "$bound" python3 - "$port" <<'PY'
import select, socket, sys

def join(name):
    file = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10).makefile("rwb", buffering=0)
    assert file.readline() == b"Please enter your username:\r\n"
    file.write(name + b"\n")
    return file

def hears(file, line):
    while (got := file.readline()) != line:
        assert got.endswith(b" has joined the chat\r\n"), got

ann, bob = join(b"ann"), join(b"bob")
# One of them is in the room first, and hears that the other comes. So may the other.
assert select.select([ann, bob], [], [], 10)[0]
ann.write(b"caf\xe9\n")
hears(bob, b"ann: caf\xe9\r\n")
del bob
hears(ann, b"bob has left the chat\r\n")
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
