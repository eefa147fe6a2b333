//! A scenario: read from its file, and played.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use asyncnet_conformance::System;
use asyncnet_conformance::player::{Event, Op, Player, Settings};
use serde_json::{Value, json};

use crate::output;

/// The operation that tells the peer to go on, without being one of the script.
const MARK: i64 = 1000;

/// One scenario, ready to be played.
pub(crate) struct Scenario {
    /// What makes the connection, and then the script.
    ops: Vec<Op>,
    /// How many of them come before the script. They count from below up to -1.
    before: usize,
    settings: Settings,
}

impl Scenario {
    /// `FILE ID --peer-port=N --certs=DIR`
    pub(crate) fn from_args(args: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let (options, names): (Vec<_>, Vec<_>) = args.partition(|arg| arg.starts_with("--"));
        let [file, id] = &names[..] else {
            return Err("usage: scenario SCENARIOS.json ID --peer-port=N --certs=DIR".into());
        };
        let all: Vec<Value> = serde_json::from_str(&fs::read_to_string(file)?)?;
        let found = all.iter().find(|scenario| scenario["id"] == **id);
        let mut this = Self::read(found.ok_or_else(|| format!("no scenario {id}"))?)?;
        for option in options {
            match option.split_once('=') {
                Some(("--peer-port", port)) => this.settings.peer_port = port.parse()?,
                Some(("--certs", directory)) => {
                    let directory = PathBuf::from(directory);
                    this.settings.certs = Box::new(move |name| fs::read(directory.join(name)));
                }
                _ => return Err(format!("no option {option}").into()),
            }
        }
        Ok(this)
    }

    fn read(scenario: &Value) -> Result<Self, Box<dyn Error>> {
        let script = scenario["ops"].as_array().ok_or("a scenario has ops")?;
        let before = before(scenario);
        let all = before.iter().chain(script).map(|op| Op::read(op).ok_or("an op has a name"));
        let ops = all.collect::<Result<Vec<_>, _>>()?;
        let settings = Settings {
            buffered: scenario["buffered"].as_bool().unwrap_or(true),
            v6: is_v6(scenario),
            events: Box::new(|event| match event {
                Event::Port(name, port) => output::port(&name, port),
                Event::Mark => output::start(MARK),
            }),
            ..Settings::of(&ops)
        };
        Ok(Self { before: before.len(), ops, settings })
    }

    /// Plays it to its end.
    pub(crate) async fn play<R: System>(self, runtime: &str) {
        output::hello(self.before, runtime);
        let mut player = Player::<R>::new(self.settings);
        let first = -i64::try_from(self.before).expect("it is a handful");
        for (k, op) in (first..).zip(&self.ops) {
            output::start(k);
            let begun = Instant::now();
            let answer = player.play(k, op).await;
            output::done(k, &answer, begun.elapsed().as_millis());
        }
        output::end();
    }
}

fn is_v6(scenario: &Value) -> bool {
    scenario["family"] == "v6"
}

/// What makes the connection `c`: by connecting to the peer, by accepting it, or not at all.
fn before(scenario: &Value) -> Vec<Value> {
    let family = if is_v6(scenario) { "v6" } else { "v4" };
    let host = if is_v6(scenario) { "::1" } else { "127.0.0.1" };
    let tls = scenario["tls"].as_str().unwrap_or_default();
    match scenario["setup"].as_str().unwrap_or("client") {
        "client" => {
            let verify = scenario["verify"].as_bool().unwrap_or_default();
            let wrap = json!({"op": "wrap", "ctx": "client", "mode": "wrap", "verify": verify});
            let host = scenario["host"].as_str().unwrap_or(host);
            let mut ops = vec![json!({"op": "new", "as": "c", "domain": family})];
            ops.extend((tls == "client").then_some(wrap));
            ops.push(json!({"op": "connect", "wait_ms": 3000, "addr": host}));
            ops
        }
        "server" => {
            let cert = scenario["cert"].as_str().unwrap_or("good");
            let mode = "connected_server";
            // The peer begins its handshake when this is done.
            let wrap =
                json!({"op": "wrap", "ctx": "server", "mode": mode, "cert": cert, "begin": true});
            let mut ops = vec![
                json!({"op": "new", "as": "l", "domain": family}),
                json!({"op": "bind", "s": "l", "addr": host}),
                json!({"op": "listen", "s": "l"}),
                json!({"op": "announce", "s": "l"}),
                json!({"op": "accept", "s": "l", "as": "c", "wait_ms": 3000}),
            ];
            ops.extend((tls == "server").then_some(wrap));
            ops
        }
        _ => Vec::new(),
    }
}
