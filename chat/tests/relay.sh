#!/usr/bin/env bash
# One room on three servers, one a runtime and one of them over TLS, through NATS and through Redis.
#
#   relay.sh         40 clients on each for 3 seconds, then a broker that is killed and one that is stopped for a moment
#   relay.sh full    300 clients on each for 20 seconds; the broker is killed twice, stopped for 5 seconds, and a link to it
#                    goes dead without a word
#
# relay.py says what is checked. A broker that is not installed is skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

form=${1:-short}
if [[ $form != short && $form != full ]]; then
    echo "usage: relay.sh [full]" >&2
    exit 2
fi

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: Python 3.11 or later is needed" >&2
    exit 1
}
brokers=()
for broker in nats redis; do
    tool=$broker-server
    if ! command -v "$tool" >/dev/null && command -v apt-get >/dev/null && [[ $EUID == 0 ]]; then
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$tool" >/dev/null 2>&1 || true
    fi
    if command -v "$tool" >/dev/null; then
        brokers+=("$broker")
    else
        echo "skipped: $tool not found"
    fi
done

cargo build --release --locked --quiet -p asyncnet-chat
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
for broker in "${brokers[@]}"; do
    python3 chat/tests/relay.py "$broker" "$form" "${CARGO_TARGET_DIR:-target}/release/asyncnet-chat" "$dir"
done
