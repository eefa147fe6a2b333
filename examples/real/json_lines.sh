# shellcheck shell=bash disable=SC2034,SC2154
# JSON lines: our client starts a server in Python, and Python starts ours.
tools=(python3:python3)
modes=(client server)

begin() {
    cat >"$dir/server.py" <<'PY'
import json, sys
for line in sys.stdin:
    print(json.dumps({"id": json.loads(line)["id"]}), flush=True)
PY
    cat >"$dir/client.py" <<'PY'
import json, subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
for n in range(1000):
    server.stdin.write(json.dumps({"id": n, "method": "length", "of": "x" * n}) + "\n")
    server.stdin.flush()
    assert json.loads(server.stdout.readline()) == {"id": n, "result": n}
server.stdin.close()
assert server.stdout.read() == "" and server.wait(10) == 0
PY
}

try() {
    if [[ $mode == client ]]; then
        program json_lines ask --server "python3 '$dir/server.py'" '{"id": 7}' '{"id": "x"}' >"$dir/said" &&
            [[ $(<"$dir/said") == $'{"id":7}\n{"id":"x"}' ]]
    else
        timeout "$bound" python3 "$dir/client.py" "$programs/json_lines" serve --runtime "$runtime"
    fi
}
