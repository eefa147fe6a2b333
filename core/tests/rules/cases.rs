//! What the test suites of other libraries try: their inputs, in every chunking, with the answers of our rules.
//!
//! `cases.txt` holds one case to a block: its head, settings, the input, what comes behind it, then the answers in
//! order. A text is bytes: `"a"*3+"\r\n"`.

use asyncnet_core::{Cause, Config, Error, Framing, LineError, Loss, Step};

use crate::play::{Ending, Play, in_any_chunking};

/// One case as it is written.
#[derive(Default)]
struct Case<'a> {
    name: &'a str,
    config: Config,
    input: Vec<u8>,
    end: Option<Ending>,
    /// What is asked, and the text that has to come.
    answers: Vec<(&'a str, Vec<u8>)>,
}

/// `"text"` or `"text"*3`, several of them with `+` in between.
fn text(written: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = written.trim();
    while let Some(inner) = rest.strip_prefix('"') {
        let end = inner.find('"').expect("a quote at the end");
        let piece = unescape(&inner[..end]);
        rest = &inner[end + 1..];
        let times = match rest.strip_prefix('*') {
            None => 1,
            Some(number) => {
                let end = number.find('+').unwrap_or(number.len());
                rest = &number[end..];
                number[..end].parse().expect("a number")
            }
        };
        bytes.extend(piece.repeat(times));
        rest = rest.strip_prefix('+').unwrap_or(rest);
    }
    assert!(rest.is_empty(), "{written}");
    bytes
}

fn unescape(written: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut parts = written.split('\\');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let (byte, rest) = match part.as_bytes().first() {
            Some(b'n') => (b'\n', &part[1..]),
            Some(b'r') => (b'\r', &part[1..]),
            Some(b't') => (b'\t', &part[1..]),
            Some(b'x') => (u8::from_str_radix(&part[1..3], 16).expect("hex"), &part[3..]),
            _ => panic!("\\{part}"),
        };
        bytes.push(byte);
        bytes.extend(rest.bytes());
    }
    bytes
}

fn parse(block: &str) -> Case<'_> {
    let mut case = Case::default();
    for line in block.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "case:" => case.name = rest,
            "framing" => case.config = case.config.framing(Framing::CrLf),
            "max_line" => case.config = case.config.max_line(rest.parse().expect("a number")),
            "input" => case.input = text(rest),
            "then" if rest == "end" => case.end = Some(Ending::Eof),
            "then" => case.end = Some(Ending::Lost(Loss::Reset)),
            _ => {
                let at = line.find('"').unwrap_or(line.len());
                case.answers.push((line[..at].trim(), text(&line[at..])));
            }
        }
    }
    case
}

/// Brings all that there is, though nobody waits for it.
fn bring_all(play: &mut Play<'_>, case: &Case<'_>) {
    for _ in 0..=case.input.len() {
        play.push();
    }
}

fn ask(play: &mut Play<'_>, case: &Case<'_>, ask: &str, text: &[u8]) {
    let at = format!("{ask} {:?} in {}", String::from_utf8_lossy(text), case.name);
    match ask {
        "line" => assert_eq!(play.line(), Ok(Some(text.to_vec())), "{at}"),
        "block" => assert_eq!(play.recv(text.len()), Ok(text.to_vec()), "{at}"),
        "rest" => {
            bring_all(play, case);
            assert_eq!(play.conn.peek(), text, "{at}");
        }
        "end" => assert_eq!(play.line(), Ok(None), "{at}"),
        "cut" | "lost" => {
            let told = play.line();
            let Err(Error::Disconnected(end)) = told else { panic!("{told:?} for {at}") };
            let cause = if ask == "cut" { Cause::Eof } else { Cause::Lost(Loss::Reset) };
            assert_eq!((end.cause, play.conn.partial()), (cause, text), "{at}");
        }
        "too long" => {
            let max = case.config.max_line;
            assert_eq!(play.line(), Err(Error::Line(LineError::TooLong { max })), "{at}");
        }
        "bare LF" => assert_eq!(play.line(), Err(Error::Line(LineError::BareLf)), "{at}"),
        "too large" => {
            let told = play.recv(usize::MAX);
            assert!(matches!(told, Err(Error::TooLarge { .. })), "{told:?} for {at}");
        }
        "closed" => {
            play.conn.close();
            assert_eq!(play.line(), Err(Error::Closed), "{at}");
        }
        "waits" => {
            bring_all(play, case);
            assert_eq!(play.conn.next_line(), Ok(Step::NeedInput), "{at}");
        }
        _ => panic!("what is {ask:?}?"),
    }
}

#[test]
fn l5_the_inputs_of_other_suites_have_the_answers_of_the_rules() {
    let cases = include_str!("cases.txt").split("\n\n").filter(|block| !block.trim().is_empty());
    let mut count = 0;
    for case in cases.map(parse) {
        let end = case.end.unwrap_or(Ending::Open);
        in_any_chunking(case.config, &case.input, end, |play| {
            for (what, text) in &case.answers {
                ask(play, &case, what, text);
            }
        });
        count += 1;
    }
    assert!(count > 100, "only {count} cases were read");
}

/// Hundreds of empty lines, and lines and bytes by turns a thousand times in one read.
#[test]
fn l5_hundreds_of_answers_come_out_of_one_read() {
    in_any_chunking(Config::default(), &[b'\n'; 300], Ending::Eof, |play| {
        for _ in 0..300 {
            assert_eq!(play.line(), Ok(Some(Vec::new())));
        }
        assert_eq!(play.line(), Ok(None));
    });
    in_any_chunking(Config::default(), &b"x\nx".repeat(100), Ending::Eof, |play| {
        for _ in 0..100 {
            assert_eq!((play.line(), play.recv(1)), (Ok(Some(b"x".into())), Ok(b"x".into())));
        }
        assert_eq!(play.line(), Ok(None));
    });
}
