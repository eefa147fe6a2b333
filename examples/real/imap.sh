# shellcheck shell=bash disable=SC2034,SC2154
# Our client with dovecot.
tools=(dovecot:dovecot-imapd)
modes=(plain starttls tls)

begin() {
    local port tls_port
    port=$(free_port) tls_port=$(free_port)
    imap_port=$port imap_tls_port=$tls_port
    [[ $EUID == 0 ]] || skip "dovecot is started as root only"
    mkdir -p "$dir/run" "$dir/mail" && chown nobody "$dir/mail"
    dovecot_base "$dir/run" >"$dir/dovecot.conf"
    cat >>"$dir/dovecot.conf" <<END
protocols = imap
listen = 127.0.0.1
mail_location = maildir:$dir/mail/%u
disable_plaintext_auth = no
mailbox_idle_check_interval = 1s
ssl = yes
ssl_cert = <$cert
ssl_key = <$key
passdb {
  driver = static
  args = password=se"cr}et
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$dir/mail/%u
}
service imap-login {
  chroot =
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = $tls_port
    ssl = yes
  }
}
END
    # 40 MiB with all that is awkward in it.
    python3 -c 'import sys; sys.stdout.write("Subject: x\r\n\r\n" + "* 1 FETCH {5}\r\na1 OK .\r\n)\r\n" * 1500000)' >"$dir/large"
    background dovecot -F -c "$dir/dovecot.conf"
    wait_port "$port" && wait_port "$tls_port"
}

try() {
    local client=(--ca "$cert") port=$imap_port
    case $mode in
        starttls) client+=(--starttls) ;;
        tls) client+=(--tls) port=$imap_tls_port ;;
    esac
    export IMAP_PASSWORD='se"cr}et'
    imap() {
        program imap_client "localhost:$port" --user "$mode-$runtime" "${client[@]}" "$@"
    }
    printf 'Subject: small\r\n\r\nhello\r\n' >"$dir/small"
    imap append "$dir/small" && imap append "$dir/large" &&
        imap fetch 1 | cmp - "$dir/small" && imap fetch 2 | cmp - "$dir/large" || return
    # IDLE ends with its time, and with news.
    imap idle 1 || return
    imap idle 60 >"$dir/news-$mode-$runtime" &
    local idle=$!
    for _ in {1..20}; do
        sleep 0.5
        imap append "$dir/small" || return
        if ! kill -0 "$idle" 2>/dev/null; then break; fi
    done
    wait "$idle" && grep -q EXISTS "$dir/news-$mode-$runtime" && ! IMAP_PASSWORD=wrong imap idle 1
}
