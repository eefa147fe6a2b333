# shellcheck shell=bash disable=SC2034,SC2154
# Our client with ngircd, and both with a client in Python; then the same with our server.
tools=(ngircd:ngircd)
modes=(plain tls)

begin() {
    ircd_port=$(free_port) ircd_tls_port=$(free_port)
    cat >"$dir/ngircd.conf" <<END
[Global]
Name = irc.test
Info = test
AdminInfo1 = test
Listen = 127.0.0.1
Ports = $ircd_port
ServerUID = $(id -u)
ServerGID = $(id -g)
[Limits]
MaxConnectionsIP = 0
[Options]
PAM = no
Ident = no
DNS = no
[SSL]
CertFile = $cert
KeyFile = $key
Ports = $ircd_tls_port
END
    cat >"$dir/client.py" <<'END'
# Waits for a client, hears 8 lines, says one to the channel and one to the client alone, and waits until it has left.
import socket, ssl, sys

mode, port, cert = sys.argv[1:]
conn = socket.create_connection(("localhost", int(port)), timeout=50)
if mode == "tls":
    conn = ssl.create_default_context(cafile=cert).wrap_socket(conn, server_hostname="localhost")
file = conn.makefile("rw", encoding="utf-8", newline="\r\n")

def say(*lines):
    for line in lines:
        file.write(line + "\n")  # leaves as CR LF
    file.flush()

def hear(*words):
    while True:
        line = file.readline()
        assert line.endswith("\r\n"), f"the end, before {words}"
        line = line.rstrip()
        print(line, flush=True)
        if line.startswith("PING"):
            say(line.replace("PING", "PONG", 1))
        elif all(word in line for word in words):
            return line

say("NICK py", "USER py 0 * :py")
hear(" 001 ")
say("JOIN #room")
hear(" 366 ")
for n in range(8):
    assert hear(":ann", "PRIVMSG #room").endswith(f":line {n} PING :x")
say("PRIVMSG #room :to all", "PRIVMSG ann :to you", "PING :sync")
hear("PONG")
print("said", flush=True)
hear(":ann", "QUIT")
END
    background ngircd -n -f "$dir/ngircd.conf"
    wait_port "$ircd_port" && wait_port "$ircd_tls_port"
}

# talk PORT: the Python client first, then ours.
talk() {
    local python status=0 log=$dir/python-$mode-$runtime-$1
    timeout "$bound" python3 "$dir/client.py" "$mode" "$1" "$cert" >"$log" 2>&1 &
    python=$!
    wait_line " 366 " "$log" || { cat "$log"; return 1; }
    {
        for n in {0..7}; do echo "line $n PING :x"; done
        wait_line '^said' "$log"
        sleep 0.5
    } | program irc_client "localhost:$1" "${client[@]}" --nick ann --channel '#room' --pace 50 >"$log.ours" || status=$?
    wait "$python" || status=$?
    cat "$log" "$log.ours"
    ((status == 0)) && grep -qx 'py: to all' "$log.ours" && grep -qx 'py: to you' "$log.ours" &&
        ! grep -q '^ann:' "$log.ours"
}

try() {
    local to=$ircd_port client=() options=()
    [[ $mode == plain ]] || to=$ircd_tls_port client=(--tls --ca "$cert") options=(--tls --cert "$cert" --key "$key")
    talk "$to" && listen irc_server "${options[@]}" && talk "$port"
}
