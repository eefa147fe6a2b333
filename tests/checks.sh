# Checks that scripts make, and what they say of them. To be sourced; $runtime and $dir are the script's.

passed=0 failed=0 skipped=0

have() {
    command -v "$1" >/dev/null
}

# What the checks of one runtime came to.
verdict() {
    echo "$runtime: $passed passed, $failed failed, $skipped skipped"
    [[ $failed == 0 ]]
}

# on_each_runtime COMMAND RUNTIME..: runs COMMAND for each, all three by default, side by side, and ends the script.
on_each_runtime() {
    local everything=$1 one outcome=0 said="all is well" running=()
    shift
    [[ $# -gt 0 ]] || set -- tokio async-std smol
    for runtime; do
        "$everything" &
        running+=($!)
    done
    for one in "${running[@]}"; do
        wait "$one" || outcome=1
    done
    [[ $outcome == 0 ]] || said="not all is well"
    echo "$said, after ${SECONDS} s"
    exit "$outcome"
}

# check NAME COMMAND..: what COMMAND says and whether it succeeds is what counts.
check() {
    local name="$runtime: $1"
    shift
    : >"$dir/out"
    if "$@" >>"$dir/out" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        sed 's/^/        | /' "$dir/out" "$dir/ours" "$dir/theirs" 2>/dev/null | tail -n 40
    fi
}

skip() {
    skipped=$((skipped + 1))
    echo "skipped $*"
}

# within COMMAND..: tries again until it succeeds, for 8 s.
within() {
    local try
    for try in {1..160}; do
        "$@" && return
        sleep 0.05
    done
    return 1
}

says() { # FILE PATTERN
    within grep -Eq -- "$2" "$dir/$1" || {
        echo "$1 does not say: $2"
        return 1
    }
}

says_not() { # FILE PATTERN
    ! grep -E -- "$2" "$dir/$1"
}
