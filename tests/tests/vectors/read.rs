//! Reads vectors; `tests/vectors/README.md` says how they are written.

use crate::step::{Step, step};

/// What is to happen, and what has to come of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vector {
    pub(crate) name: String,
    /// The rules that it is about.
    pub(crate) rules: String,
    /// What Nim's module does instead. Empty: the same.
    pub(crate) nim: String,
    /// Why there is nothing to play.
    pub(crate) by_type: String,
    /// How the connection comes about.
    pub(crate) setup: Setup,
    /// Whether it needs IPv6.
    pub(crate) needs_v6: bool,
    /// The only ways to play it.
    pub(crate) only: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Setup {
    /// We connect to the peer, as `c`.
    #[default]
    Connect,
    /// The peer listens, and that is all.
    Listen,
    /// Nothing is there.
    Nothing,
}

/// All vectors of a file.
pub(crate) fn vectors(file: &str) -> Result<Vec<Vector>, String> {
    let is_comment = |line: &&str| line.starts_with('#');
    let lines: Vec<_> = file.lines().filter(|line| !is_comment(line)).map(str::trim_end).collect();
    let blocks = lines.split(|line| line.is_empty()).filter(|block| !block.is_empty());
    blocks.map(|block| vector(block).map_err(|error| format!("{}: {error}", block[0]))).collect()
}

fn vector(lines: &[&str]) -> Result<Vector, String> {
    let mut vector = Vector::default();
    let mut labels = Vec::new();
    for line in lines {
        let head = line.split_once(": ").filter(|(key, _)| !key.contains([' ', '"']));
        match head {
            Some(("vector", name)) => vector.name = name.into(),
            Some(("rules", rules)) => vector.rules = rules.into(),
            Some(("nim", nim)) => vector.nim = nim.into(),
            Some(("by-type", why)) => vector.by_type = why.into(),
            Some(("only", ways)) => {
                vector.only = ways.split_whitespace().map(Into::into).collect();
            }
            Some(("needs", "v6")) => vector.needs_v6 = true,
            Some(("setup", "tls client")) => begin(&mut vector, CLIENT, &mut labels)?,
            Some(("setup", "tls server")) => begin(&mut vector, SERVER, &mut labels)?,
            Some(("setup", setup)) => vector.setup = setup_of(setup)?,
            Some((key, _)) => return Err(format!("what is {key}?")),
            None => vector.steps.push(step(line, vector.steps.len(), &mut labels)?),
        }
    }
    if vector.name.is_empty() || vector.rules.is_empty() {
        return Err("a vector has a name and rules".into());
    }
    if vector.steps.is_empty() == vector.by_type.is_empty() {
        return Err("a vector has steps, or a reason why not".into());
    }
    Ok(vector)
}

/// How `c` comes to be the client of a peer that speaks TLS.
const CLIENT: [&str; 6] =
    ["new as=c", "wrap verify", "@tls connect", "peer accept", "peer tls server", "check @tls"];
/// How it comes to be the server, accepted from a listener.
const SERVER: [&str; 9] = [
    "new as=l",
    "l.wrap ctx=server",
    "l.bind addr=127.0.0.1",
    "l.listen",
    "l.announce",
    "@tls l.accept as=c",
    "peer connect l",
    "peer tls client",
    "check @tls",
];

/// Begins with these steps instead of a connection.
fn begin(
    vector: &mut Vector,
    steps: impl IntoIterator<Item = &'static str>,
    labels: &mut Vec<(String, usize)>,
) -> Result<(), String> {
    vector.setup = Setup::Listen;
    for line in steps {
        vector.steps.push(step(line, vector.steps.len(), labels)?);
    }
    Ok(())
}

fn setup_of(name: &str) -> Result<Setup, String> {
    Ok(match name {
        "connect" => Setup::Connect,
        "listen" => Setup::Listen,
        "nothing" => Setup::Nothing,
        _ => return Err(format!("what is the set-up {name}?")),
    })
}
