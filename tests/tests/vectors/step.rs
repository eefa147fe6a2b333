//! Reads one step of a vector.

use std::str::FromStr;

use asyncnet_conformance::player::{Op, shown, unescape};
use serde_json::{Map, Value, json};

/// How long an answer may take that has to come, and one that must not come, in milliseconds.
const PATIENCE: (u64, u64) = (8000, 60);

#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// As it is written.
    pub(crate) text: String,
    pub(crate) act: Act,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// The peer's connection of that name does something.
    Peer(String, Peer),
    /// An operation of ours, and its answer.
    Op(Op, Expected),
}

#[derive(Clone, Debug)]
pub(crate) enum Peer {
    Send(Vec<u8>),
    /// The same, but one byte at a time.
    Drip(Vec<u8>),
    /// As they are, under TLS if there is any.
    Raw(Vec<u8>),
    /// The first half of what they are when sealed.
    Half(Vec<u8>),
    /// The close notice of TLS.
    Notice,
    /// The handshake: of a server with that certificate, or of a client. Perhaps we refuse.
    Tls {
        certificate: Option<String>,
        alert: Option<u8>,
    },
    Recv(Vec<u8>),
    /// So many bytes, whatever they are.
    Skip(usize),
    Shutdown,
    Close,
    Reset,
    /// Nothing more, and an end in good order.
    SeesEnd,
    /// Whatever comes, and then such an end.
    SeesClose,
    /// The alert of that number.
    SeesAlert(u8),
    /// Whatever comes, and then a reset.
    SeesReset,
    /// Connects to our listener of that name.
    Connect(String),
    Accept,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Is(Value),
    Pending,
    /// An error of that name, and perhaps of that kind.
    Error(String, Option<String>),
    /// The interface has no such call.
    ByType,
    /// It goes on while the script does.
    Begun,
}

/// `labels` are the steps that go on while the script does, each with its number.
pub(crate) fn step(
    line: &str,
    at: usize,
    labels: &mut Vec<(String, usize)>,
) -> Result<Step, String> {
    let (call, answer) = match line.rsplit_once(" => ") {
        Some((call, answer)) => (call.trim_end(), answer.trim()),
        None => (line, "ok"),
    };
    let words = words(call)?;
    let act = match words[0].split_at_checked(1) {
        _ if words[0] == "peer" => Act::Peer("a".into(), peer(&words[1..])?),
        _ if words[0].starts_with("peer.") => {
            Act::Peer(words[0]["peer.".len()..].into(), peer(&words[1..])?)
        }
        Some(("@", label)) => {
            labels.push((label.into(), at));
            let mut op = op(&words[1..], labels)?;
            op.insert("bg".into(), true.into());
            Act::Op(finished(op)?, Expected::Begun)
        }
        _ => {
            let (mut op, expected) = (op(&words, labels)?, expected(answer)?);
            let (long, short) = PATIENCE;
            let patience = if expected == Expected::Pending { short } else { long };
            op.entry("wait_ms").or_insert(patience.into());
            Act::Op(finished(op)?, expected)
        }
    };
    Ok(Step { text: line.into(), act })
}

/// What is between spaces, but for those inside of quotes.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut quoted = false;
    let words = line.split(|letter| {
        quoted ^= letter == '"';
        letter == ' ' && !quoted
    });
    let words: Vec<_> = words.filter(|word| !word.is_empty()).map(Into::into).collect();
    if quoted || words.is_empty() {
        return Err(format!("no words, or an open quote: {line}"));
    }
    Ok(words)
}

fn peer(words: &[String]) -> Result<Peer, String> {
    let words: Vec<_> = words.iter().map(|word| &**word).collect();
    Ok(match words[..] {
        ["send", data] => Peer::Send(bytes(data)?),
        ["drip", data] => Peer::Drip(bytes(data)?),
        ["recv", data] => Peer::Recv(bytes(data)?),
        ["skip", n] => Peer::Skip(number(n)?),
        ["shutdown"] => Peer::Shutdown,
        ["close"] => Peer::Close,
        ["reset"] => Peer::Reset,
        ["raw", data] => Peer::Raw(bytes(data)?),
        ["half", data] => Peer::Half(bytes(data)?),
        ["notice"] => Peer::Notice,
        ["tls", "client"] => Peer::Tls { certificate: None, alert: None },
        ["tls", "server"] => Peer::Tls { certificate: Some("good".into()), alert: None },
        ["tls", "server", certificate, "alert", alert] => {
            Peer::Tls { certificate: Some(certificate.into()), alert: Some(number(alert)?) }
        }
        ["tls", "server", certificate] => {
            Peer::Tls { certificate: Some(certificate.into()), alert: None }
        }
        ["sees", "end"] => Peer::SeesEnd,
        ["sees", "close"] => Peer::SeesClose,
        ["sees", "alert", alert] => Peer::SeesAlert(number(alert)?),
        ["sees", "reset"] => Peer::SeesReset,
        ["connect", listener] => Peer::Connect(listener.into()),
        ["accept"] => Peer::Accept,
        _ => return Err(format!("what does the peer do: {words:?}?")),
    })
}

fn number<N: FromStr>(word: &str) -> Result<N, String> {
    word.parse().map_err(|_| format!("{word} is no such number"))
}

/// `name`, or `socket.name`; then numbers, texts, and `key=value`s. A word alone is a flag.
fn op(words: &[String], labels: &[(String, usize)]) -> Result<Map<String, Value>, String> {
    let (name, rest) = words.split_first().ok_or("an operation has a name")?;
    let mut op = Map::new();
    let (socket, name) = name.split_once('.').unwrap_or(("c", name));
    op.insert("s".into(), socket.into());
    named(&mut op, name);
    for word in rest {
        let (key, value) = match word.split_once('=') {
            _ if word.starts_with('"') => ("data".into(), data(word)?),
            Some((key, value)) if value.starts_with('"') => (key.into(), data(value)?),
            Some((key, value)) => (key.to_owned(), word_value(value)),
            None => match (word.parse::<i64>(), word.strip_prefix('@')) {
                (Ok(number), _) => ("number".into(), number.into()),
                (_, Some(label)) => {
                    let known = labels.iter().find(|known| known.0 == label);
                    let (_, at) = known.ok_or_else(|| format!("nothing is @{label}"))?;
                    ("ref".into(), json!(at))
                }
                _ if word == "tell" => ("nosafe".into(), true.into()),
                _ => (word.clone(), true.into()),
            },
        };
        let key = if key == "number" { number_of(name).to_owned() } else { key };
        op.insert(key, value);
    }
    Ok(op)
}

/// The names that vectors have for what they wait for are their own.
fn named(op: &mut Map<String, Value>, name: &str) {
    let (name, state) = match name {
        "arrived" => ("wait_bytes", None),
        "ended" => ("wait_state", Some("close_wait")),
        "broken" => ("wait_state", Some("close")),
        name => (name, None),
    };
    op.insert("op".into(), name.into());
    if let Some(state) = state {
        op.insert("state".into(), state.into());
    }
}

/// What a number alone means to an operation.
fn number_of(name: &str) -> &'static str {
    match name {
        "recv" | "recv_into" => "size",
        "sleep" => "ms",
        "nofile" => "spare",
        "listen" => "backlog",
        _ => "n",
    }
}

fn word_value(word: &str) -> Value {
    match (word, word.parse::<i64>()) {
        (_, Ok(number)) => number.into(),
        ("yes", _) => true.into(),
        ("no", _) => false.into(),
        _ => word.into(),
    }
}

/// `"text"`, `"text"*times`, and several with `+` between them.
fn parts(text: &str) -> Result<Vec<(&str, usize)>, String> {
    let wrong = || format!("this is no text: {text}");
    let (mut parts, mut rest) = (Vec::new(), text);
    loop {
        let behind = rest.strip_prefix('"').ok_or_else(wrong)?;
        let (quoted, behind) = behind.split_once('"').ok_or_else(wrong)?;
        let (times, next) = match behind.split_once('+') {
            Some((times, next)) => (times, Some(next)),
            None => (behind, None),
        };
        let times = match times.strip_prefix('*') {
            Some(times) => times.parse().map_err(|_| wrong())?,
            None if times.is_empty() => 1,
            None => return Err(wrong()),
        };
        parts.push((quoted, times));
        match next {
            Some(next) => rest = next,
            None => return Ok(parts),
        }
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let parts = parts(text)?.into_iter().map(|(unit, times)| unescape(unit).repeat(times));
    Ok(parts.collect::<Vec<_>>().concat())
}

/// The same as an operation takes it.
fn data(text: &str) -> Result<Value, String> {
    let parts = parts(text)?.into_iter().map(|(unit, times)| json!({ "rep": unit, "n": times }));
    Ok(parts.collect())
}

fn expected(answer: &str) -> Result<Expected, String> {
    let words: Vec<_> = answer.split_whitespace().collect();
    Ok(match words[..] {
        _ if answer.starts_with('"') => Expected::Is(shown(&bytes(answer)?)),
        ["pending"] => Expected::Pending,
        ["ok"] => Expected::Is(true.into()),
        ["no"] => Expected::Is(false.into()),
        ["by", "type"] => Expected::ByType,
        ["error", name] => Expected::Error(name.into(), None),
        ["error", name, kind] => Expected::Error(name.into(), Some(kind.into())),
        [number] if number.parse::<i64>().is_ok() => Expected::Is(word_value(number)),
        _ => return Err(format!("what kind of answer is {answer}?")),
    })
}

fn finished(op: Map<String, Value>) -> Result<Op, String> {
    Op::read(&Value::Object(op)).ok_or_else(|| "an operation has a name".into())
}
