#!/usr/bin/env bash
# The example programs with servers and clients that others wrote, on every runtime, in plain and over TLS.
#
#   real_servers.sh               every part
#   real_servers.sh smtp irc      these parts
#
# A part is a file `real/NAME.sh`. It is sourced in a shell of its own, and says
#
#   tools=('COMMAND:PACKAGE ..' ..)  what it needs; what is missing is installed with apt-get where that is possible
#   modes=(plain tls)             how its server can be reached
#   begin                         starts the servers, once
#   try                           runs the programs on $runtime in $mode, once for each pair. Its status is the result
#
# `set -e` is off in both: join commands with `&&`. They
#
# can use: `background COMMAND..` (a server, ended with the part), `free_port`, `wait_port PORT`, `wait_line TEXT FILE`,
# `program NAME ARGS..` (an example on $runtime, bounded in time), `listen NAME ARGS..` (the same in the background: sets
# $address and $port), `dovecot_base DIRECTORY`, `need PYTHON_MODULE`, `apt_update` (once in a run), and $dir, $cert, $key (for localhost and 127.0.0.1;
# $cert is the CA too).
# A part that cannot run calls `skip WHY`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bound=60 # seconds, for each program
runtimes=(tokio smol async-std)
all=$(mktemp -d)
trap 'rm -rf "$all"' EXIT

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
    -keyout "$all/key.pem" -out "$all/cert.pem" 2>/dev/null
cert=$all/cert.pem key=$all/key.pem
chmod 755 "$all" && chmod 644 "$cert" "$key"

# Found first by a package that is installed, so that it does not start its server.
mkdir "$all/no-services"
ln -s /bin/true "$all/no-services/invoke-rc.d"
ln -s /bin/true "$all/no-services/deb-systemd-invoke"

cargo build --quiet --locked -p asyncnet-examples --examples
programs=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/examples

skip() {
    printf 'skipped: %s: %s\n' "$part" "$*"
    exit 77
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for WHAT COMMAND..
wait_for() {
    for _ in {1..200}; do
        if "${@:2}" 2>/dev/null; then return; fi
        sleep 0.05
    done
    echo "waited in vain for $1"
    return 1
}

accepts() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

wait_port() {
    wait_for "a server on port $1" accepts "$1"
}

wait_line() {
    wait_for "the line '$1'" grep -sq -- "$1" "$2"
}

background() {
    "$@" <&0 >>"$dir/servers.log" 2>&1 &
}

program() {
    timeout "$bound" "$programs/$1" --runtime "$runtime" "${@:2}"
}

# listen NAME ARGS..: starts a server of ours, which says `listening on ADDRESS` first.
listen() {
    local said
    said=$(mktemp -p "$dir")
    "$programs/$1" --listen 127.0.0.1:0 --runtime "$runtime" "${@:2}" >"$said" 2>&1 &
    server=$!
    wait_line '^listening on' "$said" || return
    address=$(sed -n 's/^listening on //p' "$said")
    port=${address##*:}
    said_by_server=$said
}

# What the configuration of every dovecot has, with its state in this directory.
dovecot_base() {
    cat <<END
base_dir = $1
state_dir = $1
log_path = $dir/servers.log
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
auth_failure_delay = 0
service anvil {
  chroot =
  # No delay after a wrong password.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
END
}

need() {
    python3 -c "import $1" 2>/dev/null ||
        timeout 120 python3 -m pip install --quiet "$1" >/dev/null 2>&1 ||
        timeout 120 python3 -m pip install --quiet --break-system-packages "$1" >/dev/null 2>&1 ||
        skip "Python's module $1 is missing"
}

apt_update() {
    [[ -e $all/updated ]] || timeout 120 apt-get -qq update >/dev/null 2>&1 || true
    touch "$all/updated"
}

find_tools() {
    local pair
    export PATH=$PATH:/usr/sbin:/sbin DEBIAN_FRONTEND=noninteractive
    for pair in "$@"; do
        if command -v "${pair%%:*}" >/dev/null; then continue; fi
        if command -v apt-get >/dev/null && [[ $EUID == 0 ]]; then
            apt_update
            # shellcheck disable=SC2086 # a tool may need several packages
            timeout 300 apt-get -qq install -y --no-install-recommends --no-remove -o DPkg::Options::=--force-confold \
                -o "DPkg::Path=$all/no-services:/usr/sbin:/usr/bin:/sbin:/bin" ${pair#*:} >/dev/null 2>&1 || true
        fi
        command -v "${pair%%:*}" >/dev/null || skip "${pair%%:*} is missing"
    done
}

# A part, in a shell of its own; writes a line for each mode and runtime.
run_part() {
    part=$1 dir=$all/$1
    mkdir "$dir" && chmod 755 "$dir"
    tools=() modes=(plain)
    # shellcheck source=/dev/null
    . "examples/real/$part.sh"
    trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
    find_tools "${tools[@]}"
    if ! begin; then
        tail -n 20 "$dir/servers.log" 2>/dev/null || true
        exit 1
    fi
    for mode in "${modes[@]}"; do
        for runtime in "${runtimes[@]}"; do
            server=
            if try >"$dir/$mode-$runtime.log" 2>&1; then
                echo "$part/$mode $runtime ok" >>"$all/table"
            else
                echo "$part/$mode $runtime failed" >>"$all/table"
                printf '\n-- %s/%s on %s:\n' "$part" "$mode" "$runtime"
                tail -n 40 "$dir/$mode-$runtime.log"
                tail -n 8 "$dir/servers.log" 2>/dev/null || true
            fi
            [[ -z $server ]] || kill "$server" 2>/dev/null || true
        done
    done
}

if (($# > 0)); then parts=("$@"); else parts=(); for file in examples/real/*.sh; do parts+=("$(basename "$file" .sh)"); done; fi
touch "$all/table"
for part in "${parts[@]}"; do
    status=0
    (run_part "$part") || status=$?
    case $status in
        0) ;;
        77) echo "$part - skipped" >>"$all/table" ;;
        *) echo "$part - failed" >>"$all/table" ;;
    esac
done

printf '\n'
column -t "$all/table" 2>/dev/null || cat "$all/table"
! grep -q ' failed$' "$all/table"
