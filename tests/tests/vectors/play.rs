//! Plays a vector and compares.

use std::cell::RefCell;
use std::fmt;
use std::net::{Ipv6Addr, TcpListener};
use std::rc::Rc;

use asyncnet_conformance::System;
use asyncnet_conformance::player::{Event, Op, Player, Settings};
use serde_json::{Value, json};

use crate::certificates::file;
use crate::peer::Peers;
use crate::read::{Setup, Vector};
use crate::step::{Act, Expected, Peer};

/// One of the ways that a vector is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) buffered: bool,
    pub(crate) writer: bool,
}

/// All of them.
pub(crate) const WAYS: [Way; 4] = [
    Way { buffered: true, writer: false },
    Way { buffered: false, writer: false },
    Way { buffered: true, writer: true },
    Way { buffered: false, writer: true },
];

impl Way {
    fn words(self) -> [&'static str; 2] {
        let buffered = if self.buffered { "buffered" } else { "unbuffered" };
        [buffered, if self.writer { "writer" } else { "whole" }]
    }

    /// Whether `vector` is to be played so.
    pub(crate) fn is_for(self, vector: &Vector) -> bool {
        let has = |word: &str| vector.only.iter().any(|only| only == word);
        let allowed = |one, other| has(one) || !has(other);
        let [buffered, writer] = self.words();
        let [not_buffered, not_writer] =
            Self { buffered: !self.buffered, writer: !self.writer }.words();
        let here = !vector.needs_v6 || TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        here && allowed(buffered, not_buffered) && allowed(writer, not_writer)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}

/// Plays `vector` in one way. An error says at which step what was expected, and what came.
pub(crate) async fn play<R: System>(vector: &Vector, way: Way) -> Result<(), String> {
    let mut peers = Peers::new();
    let told = Rc::new(RefCell::new(Vec::new()));
    let mut player = Player::<R>::new(settings(vector, way, &peers, Rc::clone(&told)));
    if vector.setup == Setup::Connect {
        for op in [json!({"op": "new", "as": "c"}), json!({"op": "connect", "wait_ms": 8000})] {
            let op = Op::read(&op).expect("it has a name");
            compare(&player.play(-1, &op).await, &Expected::Is(true.into()))?;
        }
        peers.act("a", &Peer::Accept)?;
    }
    for (k, step) in (0..).zip(&vector.steps) {
        for event in told.take() {
            if let Event::Port(name, port) = event {
                peers.ports.insert(name, port);
            }
        }
        let compared = match &step.act {
            Act::Op(op, expected) => compare(&player.play(k, op).await, expected),
            Act::Peer(name, act) => {
                let (name, act) = (name.clone(), act.clone());
                let acting = blocking::unblock(move || {
                    let acted = peers.act(&name, &act);
                    (peers, acted)
                });
                let (back, acted) = player.beside(acting).await;
                peers = back;
                acted.map_err(|error| format!("the peer cannot: {error}"))
            }
        };
        compared.map_err(|error| format!("  step     {}\n{error}", step.text))?;
    }
    Ok(())
}

fn settings(vector: &Vector, way: Way, peers: &Peers, told: Rc<RefCell<Vec<Event>>>) -> Settings {
    let ops = vector.steps.iter().filter_map(|step| match &step.act {
        Act::Op(op, _) => Some(op.clone()),
        Act::Peer(..) => None,
    });
    let settings = Settings::of(&ops.collect::<Vec<_>>());
    Settings {
        peer_port: peers.port(),
        certs: Box::new(file),
        buffered: way.buffered,
        shared: way.writer,
        events: Box::new(move |event| told.borrow_mut().push(event)),
        ..settings
    }
}

fn compare(got: &Value, expected: &Expected) -> Result<(), String> {
    let is = |key: &str, text: &str| got[key].as_str().is_some_and(|got| got == text);
    let same = match expected {
        Expected::Is(value) => got["ok"] == *value,
        Expected::Pending => got["pending"] == true,
        Expected::Begun => got["bg"] == true,
        Expected::ByType => got["err"].as_str().is_some_and(|err| err.contains("by type")),
        Expected::Error(name, kind) => {
            is("err", name) && kind.as_ref().is_none_or(|kind| is("kind", kind))
        }
    };
    if same {
        return Ok(());
    }
    Err(format!("  expected {}\n  got      {got}", told(expected)))
}

/// An expectation, for people.
fn told(expected: &Expected) -> String {
    match expected {
        Expected::Is(value) => json!({ "ok": value }).to_string(),
        Expected::Pending => "nothing yet".into(),
        Expected::Begun => "a begin".into(),
        Expected::ByType => "that no program can contain it".into(),
        Expected::Error(name, kind) => {
            format!(
                "the error {name}{}",
                kind.iter().map(|kind| format!(" ({kind})")).collect::<String>()
            )
        }
    }
}
