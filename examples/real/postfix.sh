# shellcheck shell=bash disable=SC2034,SC2154
# Our client with postfix: in plain without a password; over STARTTLS and TLS with one, which dovecot checks.
#
# Only its master(8) is started, with a configuration and queues of its own, so that a postfix that serves this machine is
# left alone. Where there is none, the package is unpacked below the target directory and not installed: that would
# replace the mail server of this machine.
tools=(dovecot:dovecot-imapd)
modes=(plain starttls tls)

# Sets $daemons, and $libraries where they are not the system's.
find_postfix() {
    local unpacked=$programs/../../tools/postfix package
    libraries=
    if command -v postconf >/dev/null; then
        daemons=$(postconf -dh daemon_directory)
        return
    fi
    if [[ ! -e $unpacked ]]; then
        command -v apt-get >/dev/null && rm -rf "$unpacked.new" && mkdir -p "$unpacked.new/packages/partial" &&
            apt_update && timeout 300 apt-get -qq install -y --no-install-recommends --download-only \
                -o "Dir::Cache::archives=$unpacked.new/packages" postfix >/dev/null 2>&1 || return
        for package in "$unpacked.new"/packages/*.deb; do
            dpkg-deb -x "$package" "$unpacked.new" || return
        done
        rm -r "$unpacked.new/packages" && mv "$unpacked.new" "$unpacked" || return
    fi
    unpacked=$(cd "$unpacked" && pwd)
    daemons=$unpacked/usr/lib/postfix/sbin
    libraries=$unpacked/usr/lib/postfix:$unpacked/usr/lib/$(uname -m)-linux-gnu
}

# The mail: dots, lines that are longer than postfix takes in one piece, bytes that are no text.
write_mail() {
    python3 - "$dir/mail" "$dir/expected" <<'END'
import sys

lines = [b".one", b".", b"..two", b"", b"From me", b" \t", bytes(range(1, 10)) + bytes(range(14, 256))]
for length in [*range(996, 1001), *range(2045, 2052), 4096, 100_000]:
    lines += [b"x" * length, b"." * length, b"x" * length + b".", b"." + b"x" * length]
mail = b"Subject: dots\n\n" + b"\n".join(lines * 4) + b"\nlast."
open(sys.argv[1], "wb").write(mail)
open(sys.argv[2], "wb").write(mail + b"\n")
END
}

# Dovecot as the one that checks passwords, at $dir/auth.
start_dovecot() {
    mkdir "$dir/dovecot"
    dovecot_base "$dir/dovecot" >"$dir/dovecot.conf"
    cat >>"$dir/dovecot.conf" <<END
protocols =
ssl = no
passdb {
  driver = static
  args = password=secret
}
service auth {
  unix_listener $dir/auth {
    user = mail
  }
}
END
    background dovecot -F -c "$dir/dovecot.conf"
    wait_for dovecot test -S "$dir/auth"
}

begin() {
    local boxes=""
    [[ $EUID == 0 ]] || skip "postfix is started as root only"
    if ! find_postfix || [[ ! -x $daemons/master ]]; then skip "postfix is missing"; fi
    write_mail
    start_dovecot || return
    postfix_plain=$(free_port) postfix_starttls=$(free_port) postfix_tls=$(free_port)
    for mode in "${modes[@]}"; do
        for runtime in "${runtimes[@]}"; do boxes+=" {$mode-$runtime@y = $mode-$runtime/}"; done
    done
    mkdir "$dir/conf" "$dir/data" "$dir/boxes" "$dir/queue" "$dir/queue"/{active,bounce,defer,deferred,incoming,pid,private,public}
    chown mail "$dir/data" "$dir/queue"/{active,bounce,defer,deferred,incoming,private,public}
    chown nobody "$dir/boxes"
    cat >"$dir/conf/main.cf" <<END
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
daemon_directory = $daemons
import_environment = MAIL_CONFIG MAIL_LOGTAG POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH
mail_owner = mail
setgid_group = daemon
default_privs = nobody
maillog_file = $dir/servers.log
maillog_file_prefixes = $dir
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
local_recipient_maps =
alias_maps =
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_relay_restrictions = reject_unauth_destination
smtpd_forbid_bare_newline = reject
smtpd_tls_cert_file = $cert
smtpd_tls_key_file = $key
smtpd_sasl_type = dovecot
smtpd_sasl_path = $dir/auth
local_header_rewrite_clients =
virtual_mailbox_domains = y
virtual_mailbox_base = $dir/boxes
virtual_mailbox_maps = inline:{$boxes }
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
END
    cat >"$dir/conf/master.cf" <<END
127.0.0.1:$postfix_plain inet n - n - - smtpd
127.0.0.1:$postfix_starttls inet n - n - - smtpd
    -o smtpd_tls_security_level=encrypt
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$postfix_tls inet n - n - - smtpd
    -o smtpd_tls_wrappermode=yes
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_client_restrictions=permit_sasl_authenticated,reject
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
virtual unix - n n - - virtual
retry unix - - n - - error
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
tlsmgr unix - - n - 1 tlsmgr
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
END
    # Postfix waits until its configuration is some seconds old.
    touch -d '1 minute ago' "$dir/conf/main.cf"
    # As the leader of a group, so that its end is that of its children.
    background env LD_LIBRARY_PATH="$libraries" setsid "$daemons/master" -c "$dir/conf" -d
    wait_port "$postfix_plain" && wait_port "$postfix_starttls" && wait_port "$postfix_tls"
}

# submit USER PASSWORD: the mail, to one that exists and one that does not.
submit() {
    local port=postfix_$mode options=()
    [[ $mode != starttls ]] || options+=(--starttls)
    [[ $mode != tls ]] || options+=(--tls)
    [[ -z $1 ]] || options+=(--user "$1")
    SMTP_PASSWORD=$2 program smtp_client --ca "$cert" "${options[@]}" --from a@x \
        "localhost:${!port}" "$mode-$runtime@y" nobody@y <"$dir/mail" 2>&1
}

# refuses USER PASSWORD TEXT: the mail is not taken, and the client says TEXT.
refuses() {
    ! submit "$1" "$2" >"$dir/said" && cat "$dir/said" && grep -q "$3" "$dir/said"
}

has_mail() {
    compgen -G "$box/new/*" >/dev/null
}

try() {
    local box=$dir/boxes/$mode-$runtime user="" protocol=ESMTP
    if [[ $mode != plain ]]; then
        user=ann protocol=ESMTPSA
        refuses '' '' 'Client host rejected: Access denied' && refuses ann wrong 'the server said 535' || return
    fi
    submit "$user" secret >"$dir/said" || { cat "$dir/said"; return 1; }
    grep 'refused: nobody@y: 550 .*User unknown' "$dir/said" && wait_for 'the mail' has_mail &&
        grep "with $protocol " "$box"/new/* || return
    # The mail stands behind the lines that postfix puts in front.
    LC_ALL=C sed -n '/^Subject: dots$/,$p' "$box"/new/* | cmp - "$dir/expected"
}
