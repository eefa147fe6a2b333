# Our client with aiosmtpd, our client with our server, and our server with swaks and Python's smtplib.
tools=('swaks:swaks libnet-ssleay-perl')
modes=(plain starttls tls)

begin() {
    need aiosmtpd
    # The same mail everywhere: dots, bare LFs, no line end at the end.
    printf 'Subject: dots\n\n.one\n.\n..two\nlast.' >"$dir/mail"
    printf 'Subject: dots\r\n\r\n.one\r\n.\r\n..two\r\nlast.\r\n' >"$dir/expected"
    aiosmtpd_port=$(free_port) aiosmtpd_tls_port=$(free_port)
    background python3 - "$aiosmtpd_port" "$aiosmtpd_tls_port" "$cert" "$key" "$dir" <<'END'
import ssl, sys, threading
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

port, tls_port, cert, key, dir = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(cert, key)

class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        with open(f"{dir}/{envelope.mail_from}", "wb") as file:
            file.write(envelope.original_content)
        return "250 OK"

def login(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"ann" and data.password == b"secret")

options = dict(hostname="127.0.0.1", authenticator=login)
Controller(Handler(), port=int(port), tls_context=context, **options).start()
Controller(Handler(), port=int(tls_port), ssl_context=context, auth_require_tls=False, **options).start()
threading.Event().wait()
END
    wait_port "$aiosmtpd_port" && wait_port "$aiosmtpd_tls_port"
}

# submit PORT OPTION..: our client; the mail comes from an address that names the run.
submit() {
    SMTP_PASSWORD=secret program smtp_client --ca "$cert" "${@:2}" --from "$mode-$runtime@x" \
        "localhost:$1" bob@y nobody@y <"$dir/mail"
}

# Without its TLS module swaks leaves its mail to our client.
try_swaks() {
    if [[ $mode != plain ]] && ! perl -MNet::SSLeay -e 1 2>/dev/null; then
        submit "$port" "${client[@]}"
        return
    fi
    timeout "$bound" swaks --server 127.0.0.1 --port "$port" --from a@x --to b@y --pipeline "${swaks[@]}" \
        --data "@$dir/mail"
}

try() {
    local to=$aiosmtpd_port client=() swaks=() server=()
    case $mode in
        starttls) client=(--starttls --user ann) swaks=(--tls) server=(--cert "$cert" --key "$key" --user ann:secret) ;;
        tls)
            to=$aiosmtpd_tls_port client=(--tls) swaks=(--tls-on-connect)
            server=(--tls --cert "$cert" --key "$key" --user ann:secret)
            ;;
    esac
    submit "$to" "${client[@]}" && cmp "$dir/$mode-$runtime@x" "$dir/expected" || return
    [[ $mode == plain ]] || swaks+=(--tls-verify --tls-ca-path "$cert" --auth PLAIN --auth-user ann --auth-password secret)
    [[ $mode != tls ]] || client+=(--user ann)
    local box=$dir/box-$mode-$runtime
    mkdir "$box"
    listen smtp_server --dir "$box" --max-size 5000 "${server[@]}" &&
        submit "$port" "${client[@]}" && cmp "$box/1.eml" "$dir/expected" &&
        try_swaks && cmp "$box/2.eml" "$dir/expected" &&
        timeout "$bound" python3 - "$mode" "$port" "$cert" <<'END'
import smtplib, ssl, sys

mode, port, cert = sys.argv[1:]
context = ssl.create_default_context(cafile=cert)
if mode == "tls":
    smtp = smtplib.SMTP_SSL("localhost", int(port), context=context)
else:
    smtp = smtplib.SMTP("localhost", int(port))
    if mode == "starttls":
        smtp.starttls(context=context)
smtp.ehlo()
if mode != "plain":
    smtp.login("ann", "secret")
smtp.sendmail("a@x", ["b@y", "c@y"], ".dot\n.\nend")
try:
    smtp.sendmail("a@x", ["b@y"], "too large\n" * 1000)
    sys.exit("a mail above the limit was taken")
except smtplib.SMTPDataError as error:
    assert error.smtp_code == 554, error
# Smuggling: a bare LF must not end the mail, whose end is a line with a single dot.
for end in ["\n.\n", "\n.\r\n", "\r\n.\n"]:
    smtp.mail("a@x"); smtp.rcpt("b@y"); smtp.putcmd("data"); assert smtp.getreply()[0] == 354
    smtp.send(f"text{end}MAIL FROM:<evil@x>\r\nRCPT TO:<b@y>\r\n.\r\n")
    assert smtp.getreply()[0] == 554, end
assert smtp.noop()[0] == 250, "an answer too many"
smtp.quit()
END
    local status=$?
    ((status == 0)) && printf '.dot\r\n.\r\nend\r\n' | cmp - "$box/3.eml" && [[ ! -e $box/4.eml ]]
}
