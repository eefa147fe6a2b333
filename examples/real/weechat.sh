# shellcheck shell=bash disable=SC2034,SC2154
# WeeChat, whose first nick is in use, and our client talk through our server.
tools=('weechat-headless:weechat-headless weechat-plugins')
modes=(plain tls)

begin() {
    # A plugin that was loaded has written its settings.
    timeout 20 weechat-headless -d "$dir/empty" -P fifo -r /quit >/dev/null 2>&1
    [[ -e $dir/empty/fifo.conf ]] || skip "WeeChat's plugin fifo is missing"
}

# types BUFFER TEXT: in WeeChat. (Opened for both, a FIFO that nobody reads does not hold us up.)
types() {
    printf '%s *%s\n' "$1" "$2" 1<>"$home/fifo"
}

start_weechat() {
    local command commands=("/server add irc localhost/$port")
    # Some options have another name in another version; one that does not exist is an error in the log.
    for command in "fifo.file.path $home/fifo" 'logger.file.flush_delay 0' "weechat.network.gnutls_ca_user $cert" \
        'irc.server.irc.nicks ann,wee' 'irc.server.irc.autojoin #room,#other' 'irc.server.irc.ipv6 off' \
        'irc.server.irc.anti_flood 0' 'irc.server.irc.anti_flood_prio_high 0' 'irc.server.irc.anti_flood_prio_low 0' \
        "irc.server.irc.tls $secure" "irc.server.irc.ssl $secure"; do
        commands+=(-r "/set $command")
    done
    timeout "$bound" weechat-headless -d "$home" -r "${commands[@]}" -r '/connect irc' >"$home/out" 2>&1 &
    weechat=$!
}

talk() {
    local room='irc.irc.#room' logs=$home/logs heard=$home/ann long
    wait_line '^joined' "$heard" && start_weechat && wait_line '^\* wee JOIN$' "$heard" &&
        wait_line 'has joined #other' "$logs/irc.irc.#other.weechatlog" &&
        wait_line '#room: 2 nicks' "$logs/$room.weechatlog" || return
    # WeeChat splits what does not fit in a line.
    long=$(printf '%s-' {1..300})
    types "$room" 'hello :) PING :x' && types "$room" "zażółć" && types "$room" "$long" && types "$room" '/msg ann psst' &&
        wait_line '^wee: psst$' "$heard" && grep -qx 'wee: hello :) PING :x' "$heard" && grep -qx 'wee: zażółć' "$heard" &&
        [[ $(sed -n 's/^wee: \([0-9-]*\)$/\1/p' "$heard" | tr -d '\n') == "$long" ]] || return
    echo 'to all :)' >&"$said_by_ann"
    wait_line $'\tann\tto all :)$' "$logs/$room.weechatlog" || return
    types "$room" '/part #room bye' && wait_line '^\* wee PART$' "$heard" &&
        types irc.server.irc '/join #room' && wait_for 'a second JOIN' joined_again || return
    echo 'again' >&"$said_by_ann"
    wait_line $'\tann\tagain$' "$logs/$room.weechatlog" && types core.weechat '/quit bye' && wait "$weechat" &&
        wait_line '^\* wee QUIT$' "$heard"
}

joined_again() {
    [[ $(grep -cx '\* wee JOIN' "$heard") == 2 ]]
}

try() {
    local home=$dir/$mode-$runtime secure=off client=() options=() ann weechat="" said_by_ann status=0
    [[ $mode == plain ]] || secure=on client=(--tls --ca "$cert") options=(--tls --cert "$cert" --key "$key")
    mkdir "$home" && mkfifo "$home/said" && listen irc_server "${options[@]}" || return
    program irc_client "localhost:$port" "${client[@]}" --nick ann --channel '#room' --pace 0 <"$home/said" >"$home/ann" 2>&1 &
    ann=$!
    exec {said_by_ann}>"$home/said"
    talk || status=1
    # WeeChat holds that descriptor too.
    [[ -z $weechat ]] || kill "$weechat" 2>/dev/null
    exec {said_by_ann}>&-
    wait "$ann" || status=1
    ((status == 0)) || tail -n 15 "$home/ann" "$home/out" "$home"/logs/*
    return "$status"
}
