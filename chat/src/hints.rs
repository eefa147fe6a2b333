//! What the server says on standard output: where it listens, and how to join. Every command works as it is printed.

use std::borrow::Cow;
use std::env;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, absolute};

use asyncnet::Address;

use crate::cli;
use crate::tls::Shown;

/// Says where we listen, first of all and at once: programs wait for that line.
pub(crate) fn announce(
    address: &Address,
    options: &cli::Serve,
    shown: Option<&Shown>,
    metrics: Option<&Address>,
) -> io::Result<()> {
    let mut text = format!("listening on {address}\n");
    if options.proxy_protocol {
        text += "join through the proxy: connections without its header are reset\n";
    } else {
        text += &how_to_join(&reachable(address), options, shown);
    }
    if let Some(shown) = shown {
        text += &format!("the certificate's SHA-256 fingerprint: {}\n", shown.fingerprint);
    }
    if let Some(metrics) = metrics {
        text += &format!("metrics at http://{metrics}/metrics\n");
    }
    // One write: a program may read the first line alone and go away.
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn how_to_join(address: &Address, options: &cli::Serve, shown: Option<&Shown>) -> String {
    let (join, at) =
        (format!("join with: {} join", program()), quoted(&address.to_string()).into_owned());
    let arguments = as_arguments(address);
    let Some(Shown { fingerprint, .. }) = shown else {
        return format!("{join} {at}   (or: nc {arguments})\n");
    };
    match &options.tls.cert_out {
        Some(ca) => {
            let ca = absolute_path(ca);
            // A Unix address has no host that the certificate could be for.
            let name = if let Address::Unix(_) | Address::Abstract(_) = address {
                "--name localhost "
            } else {
                ""
            };
            format!("{join} --tls --ca {} {name}{at}   (or: ncat --ssl {arguments})\n", quoted(&ca))
        }
        None => format!(
            "{join} --tls --fingerprint {fingerprint} {at}   (or: ncat --ssl {arguments})\n"
        ),
    }
}

/// The address that somebody on this machine connects to.
fn reachable(address: &Address) -> Address {
    match address {
        // All addresses of this machine, and "[::]" is those of IPv4 too.
        Address::Ip(ip) if ip.ip().is_unspecified() => {
            Address::Ip((Ipv4Addr::LOCALHOST, ip.port()).into())
        }
        other => other.clone(),
    }
}

/// How to start this program again.
fn program() -> String {
    let called = env::args_os().next().unwrap_or_default();
    // A bare name was found through PATH, and another shell finds it too. A path may be relative to where we are.
    let is_path = Path::new(&called).components().count() > 1;
    let program = if is_path { env::current_exe().unwrap_or(called.into()) } else { called.into() };
    quoted(&program.to_string_lossy()).into_owned()
}

fn absolute_path(path: &Path) -> String {
    absolute(path).unwrap_or(path.to_owned()).to_string_lossy().into_owned()
}

/// `text` as the shell of this system takes it for one word.
fn quoted(text: &str) -> Cow<'_, str> {
    if cfg!(windows) { quoted_for_cmd(text) } else { quoted_for_sh(text) }
}

fn is_word(text: &str, also: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

fn quoted_for_sh(text: &str) -> Cow<'_, str> {
    if is_word(text, "/._-+:,@%=") {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

/// Neither a path of Windows nor an address holds a double quote.
fn quoted_for_cmd(text: &str) -> Cow<'_, str> {
    if is_word(text, r"/\._-+:@") {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("\"{text}\""))
}

/// The address as the arguments of `nc` or `ncat`.
fn as_arguments(address: &Address) -> String {
    match address {
        Address::Ip(address) => format!("{} {}", address.ip(), address.port()),
        Address::Unix(path) => format!("-U {}", quoted(&path.to_string_lossy())),
        _ => quoted(&address.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{as_arguments, quoted_for_cmd, quoted_for_sh, reachable};

    #[test]
    fn a_hint_names_an_address_that_can_be_connected_to() {
        for (listens, join) in [
            ("0.0.0.0:7", "127.0.0.1:7"),
            ("[::]:7", "127.0.0.1:7"),
            ("[::1]:7", "[::1]:7"),
            ("192.0.2.1:7", "192.0.2.1:7"),
        ] {
            let address = listens.parse().expect(listens);
            assert_eq!(reachable(&address).to_string(), join);
        }
        assert_eq!(as_arguments(&"[::1]:7".parse().expect("an address")), "::1 7");
    }

    #[test]
    fn a_shell_takes_what_is_quoted_for_one_word() {
        assert_eq!(quoted_for_sh("/a/b-c.pem"), "/a/b-c.pem");
        assert_eq!(quoted_for_sh("[::1]:7"), "'[::1]:7'");
        assert_eq!(quoted_for_sh("it's here"), r"'it'\''s here'");
        assert_eq!(quoted_for_cmd(r"C:\a\b-c.pem"), r"C:\a\b-c.pem");
        assert_eq!(quoted_for_cmd(r"C:\it's here"), "\"C:\\it's here\"");
    }
}
