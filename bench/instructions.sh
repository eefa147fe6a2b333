#!/usr/bin/env bash
# Instructions for each line, counted by valgrind: the same on a busy machine and on an idle one. Two runs of
# different length are subtracted, so that what a run costs once does not count. Compares with
# instructions.txt and fails where a line has become more than a tenth dearer; `--update` writes the file
# anew. The numbers belong to one compiler, which the file names, and to one libc: with another compiler
# nothing is compared. After a change of either, update.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly file=bench/instructions.txt margin=10 short=20480 long=122880
readonly cases=(framing framing-batch ingest drain echo echo16)

if ! command -v valgrind >/dev/null; then
    echo 'skipped: valgrind not found'
    exit 0
fi
if [[ $# -gt 0 && $* != --update ]]; then
    echo 'usage: bench/instructions.sh [--update]' >&2
    exit 2
fi
compiler=$(rustc -V)
recorded=$(sed -n 's/^# With //p' "$file" 2>/dev/null || true)
readonly compiler recorded
if [[ -z ${1:-} && -n $recorded && $recorded != "$compiler" ]]; then
    echo "skipped: $file was written with $recorded, and this is $compiler; --update writes it anew"
    exit 0
fi
cargo build --quiet --release --locked -p asyncnet-bench
readonly program=${CARGO_TARGET_DIR:-target}/release/asyncnet-bench

# collected CASE LINES: the instructions of a whole run.
collected() {
    local said
    said=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" count "$1" "$2" 2>&1)
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' <<<"$said"
}

# known CASE: what the file has for it.
known() {
    [[ -f $file ]] || return 0
    awk -v name="$1" '$1 == name { print $2 }' "$file"
}

written="# Instructions for each line of 64 bytes; written by bench/instructions.sh --update.
# With $compiler"
worse=
printf '%-14s %8s %8s\n' '' old new
for name in "${cases[@]}"; do
    more=$(collected "$name" $long)
    less=$(collected "$name" $short)
    new=$(((more - less) / (long - short)))
    old=$(known "$name")
    note=
    if [[ -z ${1:-} && -n $old ]] && ((new * 100 > old * (100 + margin))); then
        note='  more than a tenth dearer'
        worse=yes
    fi
    printf '%-14s %8s %8s%s\n' "$name" "${old:--}" "$new" "$note"
    written+=$'\n'"$name $new"
done
if [[ ${1:-} == --update ]]; then
    printf '%s\n' "$written" >$file
fi
[[ -z $worse ]]
