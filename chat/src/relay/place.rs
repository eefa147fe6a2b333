//! Where the broker is and who we are there, from the command line. No error shows what was given: that may be a secret.

use std::path::Path;
use std::{env, fmt, fs, io};

use asyncnet::TlsContext;
use asyncnet::net::host_name;
use percent_encoding::percent_decode_str;

use super::broker::Tls;

/// The environment variable with the credentials.
const CREDENTIALS: &str = "ASYNCNET_CHAT_RELAY_CREDENTIALS";

/// The subject or channel, unless the address names one.
const SUBJECT: &str = "asyncnet-chat";

/// The longest subject or channel.
const MAX_SUBJECT: usize = 255;

/// The value of `--relay`, which may hold a password: it is not shown.
#[derive(Clone)]
pub(crate) struct Url(String);

impl From<String> for Url {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Url(..)")
    }
}

/// Which broker it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nats,
    Redis,
}

/// A user and a password, or a token or a password alone.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: Option<String>,
    pub(super) secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Where the broker is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) kind: Kind,
    pub(super) is_secure: bool,
    /// `HOST:PORT`.
    pub(super) address: String,
    pub(super) subject: String,
    pub(super) credentials: Option<Credentials>,
}

impl fmt::Display for Place {
    /// The address without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.kind, self.is_secure) {
            (Kind::Nats, false) => "nats",
            (Kind::Nats, true) => "tls",
            (Kind::Redis, false) => "redis",
            (Kind::Redis, true) => "rediss",
        };
        write!(f, "{scheme}://{}/{}", self.address, self.subject)
    }
}

impl Place {
    /// The place of a command line, with the credentials of this file, of the address, or of the environment.
    pub(super) fn new(url: &Url, file: Option<&Path>) -> io::Result<Self> {
        let mut place = parse(&url.0).map_err(io::Error::other)?;
        if let Some(file) = file {
            if place.credentials.is_some() {
                let why = "--relay has credentials, and --relay-credentials too: give one of them";
                return Err(io::Error::other(why));
            }
            let text = fs::read_to_string(file).map_err(|error| {
                let why = format!("cannot read --relay-credentials {}: {error}", file.display());
                io::Error::new(error.kind(), why)
            })?;
            place.credentials = Some(credentials(&text, "--relay-credentials")?);
        } else if place.credentials.is_none() {
            if let Some(text) = env::var_os(CREDENTIALS) {
                place.credentials = Some(credentials(&text.to_string_lossy(), CREDENTIALS)?);
            }
        }
        Ok(place)
    }

    /// The TLS settings, with the certificates of this file if it is given.
    pub(super) fn tls(&self, ca: Option<&Path>) -> io::Result<Tls> {
        let context = match ca {
            Some(ca) => Some(TlsContext::client().ca_file(ca)?.build()?),
            // An error of the system's certificates is one of the start.
            None if self.is_secure => Some(TlsContext::client().build()?),
            None => None,
        };
        let host = host_name(&self.address).map_err(io::Error::other)?.to_owned();
        Ok(Tls { is_wanted: self.is_secure, context, host })
    }
}

/// `USER:PASSWORD` or `SECRET`, on the first line of a text.
fn credentials(text: &str, whose: &str) -> io::Result<Credentials> {
    let line = text.lines().next().unwrap_or_default();
    let (user, secret) = user_and_secret(line).ok_or_else(|| {
        let why = format!("{whose} has to hold USER:PASSWORD, or a token or password alone");
        io::Error::other(why)
    })?;
    Ok(Credentials { user: user.map(str::to_owned), secret: secret.to_owned() })
}

/// The parts of `USER:PASSWORD`, or a secret alone, if there is a secret.
fn user_and_secret(text: &str) -> Option<(Option<&str>, &str)> {
    let (user, secret) = match text.split_once(':') {
        Some((user, secret)) => (Some(user), secret),
        None => (None, text),
    };
    (!secret.is_empty()).then_some((user, secret))
}

fn parse(url: &str) -> Result<Place, String> {
    let schemes = [
        ("nats://", Kind::Nats, false, "4222"),
        ("tls://", Kind::Nats, true, "4222"),
        ("redis://", Kind::Redis, false, "6379"),
        ("rediss://", Kind::Redis, true, "6379"),
    ];
    let found = schemes.iter().find_map(|scheme| Some((scheme, url.strip_prefix(scheme.0)?)));
    let Some((&(scheme, kind, is_secure, port), rest)) = found else {
        return Err(
            "--relay begins with nats://, tls:// (NATS over TLS), redis:// or rediss://".to_owned()
        );
    };
    let (authority, subject) = match rest.split_once('/') {
        Some((authority, subject)) => (authority, subject),
        None => (rest, SUBJECT),
    };
    let (credentials, address) = match authority.rsplit_once('@') {
        Some((credentials, address)) => (Some(decoded(credentials)?), address),
        None => (None, authority),
    };
    let address = with_port(address, port);
    // An @ behind the slash: that slash is one of the password's.
    if host_name(&address).map_or(true, str::is_empty) || subject.contains('@') {
        return Err(format!(
            "--relay is {scheme}HOST:PORT or {scheme}HOST:PORT/SUBJECT; in a user or password, %40 stands for @, %2F \
             for / and %25 for %"
        ));
    }
    let wrong = match kind {
        Kind::Nats => wrong_in_subject(subject),
        Kind::Redis => wrong_in_channel(subject),
    };
    if let Some(wrong) = wrong {
        return Err(format!("behind {scheme}HOST:PORT/ of --relay, {wrong}"));
    }
    Ok(Place { kind, is_secure, address, subject: subject.to_owned(), credentials })
}

/// `USER:PASSWORD` or `SECRET`, with escapes.
fn decoded(text: &str) -> Result<Credentials, String> {
    let decode = |text| percent_decode_str(text).decode_utf8().map(String::from);
    let wrong =
        "the credentials of --relay are USER:PASSWORD, or a token or password alone, in UTF-8";
    let (user, secret) = user_and_secret(text).ok_or(wrong)?;
    let user = user.map(decode).transpose().map_err(|_| wrong)?;
    Ok(Credentials { user, secret: decode(secret).map_err(|_| wrong)? })
}

fn with_port(address: &str, port: &str) -> String {
    let has_port = !address.ends_with(']') && address.contains(':');
    if has_port { address.to_owned() } else { format!("{address}:{port}") }
}

/// What is wrong with a subject of NATS, if anything is.
fn wrong_in_subject(subject: &str) -> Option<&'static str> {
    if let Some(wrong) = wrong_in_channel(subject) {
        return Some(wrong);
    }
    let words = || subject.split('.');
    if words().any(str::is_empty) {
        return Some("no part of the subject between dots may be empty");
    }
    if words().any(|word| word == "*" || word == ">") {
        return Some("the subject names one subject: it has no wildcard * or >");
    }
    subject
        .starts_with('$')
        .then_some("the subject may not begin with $: those are the broker's own")
}

/// What is wrong with a channel of Redis, if anything is.
fn wrong_in_channel(channel: &str) -> Option<&'static str> {
    if channel.is_empty() || channel.len() > MAX_SUBJECT {
        return Some("the subject has between 1 and 255 characters");
    }
    let is_plain = channel.bytes().all(|byte| byte.is_ascii_graphic());
    (!is_plain).then_some("the subject has ASCII characters alone, and no spaces")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn every_form_of_an_address_is_taken() {
        for (url, kind, is_secure, address, subject) in [
            ("nats://127.0.0.1:4222", Kind::Nats, false, "127.0.0.1:4222", SUBJECT),
            ("nats://broker", Kind::Nats, false, "broker:4222", SUBJECT),
            ("tls://[::1]/a.b", Kind::Nats, true, "[::1]:4222", "a.b"),
            ("redis://[::1]:1/a:b/c*", Kind::Redis, false, "[::1]:1", "a:b/c*"),
            ("rediss://broker:1", Kind::Redis, true, "broker:1", SUBJECT),
        ] {
            let expected = Place {
                kind,
                is_secure,
                address: address.into(),
                subject: subject.into(),
                credentials: None,
            };
            assert_eq!(place(url), expected);
        }
    }

    #[test]
    fn credentials_are_taken_and_never_shown() {
        for (text, user, secret) in [
            ("ann:geheim", Some("ann"), "geheim"),
            ("geheim", None, "geheim"),
            ("a%40b:ge%2Fh%25eim:", Some("a@b"), "ge/h%eim:"),
            (":geheim", Some(""), "geheim"),
        ] {
            let place = place(&format!("nats://{text}@broker:1/x"));
            let expected = Credentials { user: user.map(str::to_owned), secret: secret.into() };
            assert_eq!(place.credentials, Some(expected));
            assert_eq!(place.to_string(), "nats://broker:1/x");
            assert!(!format!("{place:?}").contains("eim"), "{place:?}");
        }
        let url = Url::from("nats://ann:geheim@x".to_owned());
        assert!(!format!("{url:?}").contains("geheim"));
    }

    #[test]
    fn a_wrong_address_is_refused_without_a_word_of_it() {
        for (url, says) in [
            ("", "begins with nats://"),
            ("geheim@x:1", "begins with nats://"),
            ("http://geheim@x:1", "begins with nats://"),
            ("nats://", "HOST:PORT"),
            ("nats://:1", "HOST:PORT"),
            ("nats://ann:geheim@", "HOST:PORT"),
            // The host ends where the password's slash is.
            ("nats://ann:gehe/im@x:1", "%2F"),
            ("nats://ann:1/geheim@x:1", "%2F"),
            ("nats://geheim@x:port", "HOST:PORT"),
            ("nats://::1", "HOST:PORT"),
            ("nats://ann:@x:1", "USER:PASSWORD"),
            ("nats://%ff@x:1", "UTF-8"),
            ("nats://x:1/", "between 1 and 255"),
            ("nats://x:1/a..b", "between dots"),
            ("nats://x:1/.", "between dots"),
            ("nats://x:1/a.*", "wildcard"),
            ("nats://x:1/>", "wildcard"),
            ("nats://x:1/$SYS.geheim", "begin with $"),
            ("nats://x:1/a\r\nPUB", "ASCII"),
            ("redis://x:1/a b", "ASCII"),
            ("redis://x:1/é", "ASCII"),
        ] {
            let error = parse(url).expect_err(url);
            assert!(error.contains(says), "{url}: {error}");
            assert!(!error.contains("gehe") && !error.contains("eim"), "{error}");
        }
        let long = format!("redis://x:1/{}", "x".repeat(256));
        parse(&long).expect_err("a long channel");
    }

    #[test]
    fn a_file_holds_credentials_on_its_first_line() {
        let read = |text| credentials(text, "it").map_err(|error| error.to_string());
        for text in ["ann:geheim", "ann:geheim\n", "ann:geheim\r\nmore\n"] {
            let expected = Credentials { user: Some("ann".into()), secret: "geheim".into() };
            assert_eq!(read(text), Ok(expected));
        }
        assert_eq!(read("x\n"), Ok(Credentials { user: None, secret: "x".into() }));
        for text in ["", "\n", "ann:\n"] {
            read(text).expect_err(text);
        }
    }
}
