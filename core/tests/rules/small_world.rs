//! Every input of up to eight bytes over `a`, CR and LF against a model written from the rules L1, L2,
//! L4 and F1: in all chunkings up to seven bytes; at eight, where that would take half a minute, whole, byte by
//! byte and with each single cut.

use asyncnet_core::{Cause, Config, Connection, Error, Framing, LineError, Step};

use crate::play::{Answer, chunkings};

const LONGEST: u32 = 8;
const LIMITS: [usize; 5] = [0, 1, 2, 3, usize::MAX];

/// L1, L4: LF ends a line and takes one CR before it along; what is too long is reported as soon as it is
/// known, once.
fn lenient(input: &[u8], max: usize) -> Vec<Answer<'_>> {
    let (mut answers, mut start, mut reported) = (Vec::new(), 0, false);
    for at in 0..input.len() {
        let line = &input[start..=at];
        let whole = line.ends_with(b"\n");
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if !reported && text.len() > max {
            answers.push(Answer::Bad(LineError::TooLong { max }));
            reported = true;
        } else if whole && !reported {
            answers.push(Answer::Line(text));
        }
        if whole {
            (start, reported) = (at + 1, false);
        }
    }
    answers.push(Answer::End(Cause::Eof, input.len() - start));
    answers
}

/// L2, L4: only CR LF ends a line; the first thing wrong with one is reported as soon as it is known, once.
fn strict(input: &[u8], max: usize) -> Vec<Answer<'_>> {
    let (mut answers, mut start, mut reported) = (Vec::new(), 0, false);
    for at in 0..input.len() {
        let line = &input[start..=at];
        let wrong = match line {
            [.., b'\r', b'\n'] => None,
            [.., b'\r', _] => Some(LineError::BareCr),
            [.., b'\n'] => Some(LineError::BareLf),
            [text @ .., b'\r'] | text => (text.len() > max).then_some(LineError::TooLong { max }),
        };
        if let (Some(error), false) = (wrong, reported) {
            answers.push(Answer::Bad(error));
            reported = true;
        }
        if let Some(text) = line.strip_suffix(b"\r\n") {
            answers.extend((!reported).then_some(Answer::Line(text)));
            (start, reported) = (at + 1, false);
        }
    }
    answers.push(Answer::End(Cause::Eof, input.len() - start));
    answers
}

/// F1, L4: this byte ends a line, and every other byte is data.
fn byte(end: u8, input: &[u8], max: usize) -> Vec<Answer<'_>> {
    let (mut answers, mut start, mut reported) = (Vec::new(), 0, false);
    for (at, &byte) in input.iter().enumerate() {
        let text = &input[start..at];
        if byte == end {
            answers.extend((!reported).then_some(Answer::Line(text)));
            (start, reported) = (at + 1, false);
        } else if !reported && text.len() == max {
            answers.push(Answer::Bad(LineError::TooLong { max }));
            reported = true;
        }
    }
    answers.push(Answer::End(Cause::Eof, input.len() - start));
    answers
}

/// The `index`th string of `len` bytes over `a`, CR and LF.
fn word(mut index: u32, len: u32) -> Vec<u8> {
    let mut letter = || {
        let letter = b"a\r\n"[(index % 3) as usize];
        index /= 3;
        letter
    };
    (0..len).map(|_| letter()).collect()
}

/// Whether any answer is not the expected one.
fn differs(config: Config, chunks: &[&[u8]], expected: &[Answer<'_>]) -> bool {
    let mut conn = Connection::new(config);
    let mut expected = expected.iter();
    let mut chunks = chunks.iter();
    loop {
        let same = match conn.next_line() {
            Ok(Step::NeedInput) => {
                match chunks.next() {
                    Some(chunk) => assert_eq!(conn.handle_input(chunk), chunk.len()),
                    None => conn.handle_eof(),
                }
                continue;
            }
            Ok(Step::Ready(Some(line))) => expected.next() == Some(&Answer::Line(line)),
            Err(Error::Line(error)) => expected.next() == Some(&Answer::Bad(error)),
            Ok(Step::Ready(None)) => return expected.as_slice() != [Answer::End(Cause::Eof, 0)],
            Err(Error::Disconnected(end)) => {
                return end.is_clean()
                    || expected.as_slice() != [Answer::End(end.cause, end.partial)];
            }
            Err(_) => false,
        };
        if !same {
            return true;
        }
    }
}

fn explore(framing: Framing, model: fn(&[u8], usize) -> Vec<Answer<'_>>) {
    let mut runs = 0;
    for len in 0..=LONGEST {
        for input in (0..3u32.pow(len)).map(|index| word(index, len)) {
            for max in LIMITS {
                let config = Config::default().framing(framing).max_line(max);
                let expected = model(&input, max);
                for chunks in chunkings(&input) {
                    let wrong = differs(config, &chunks, &expected);
                    assert!(!wrong, "{config:?}\n{chunks:?}\nis not {expected:?}");
                    runs += 1;
                }
            }
        }
    }
    // 3^n inputs in 2^(n-1) chunkings for n from 1 to 7, the empty one, and 3^8 inputs in 9 chunkings.
    assert_eq!(runs, LIMITS.len() * (167_961 + 1 + 6_561 * 9));
}

#[test]
fn l1_l4_lenient_framing_is_its_model() {
    explore(Framing::Lenient, lenient);
}

#[test]
fn l2_l4_strict_framing_is_its_model() {
    explore(Framing::CrLf, strict);
}

#[test]
fn f1_l4_lf_framing_is_its_model() {
    explore(Framing::Lf, |input, max| byte(b'\n', input, max));
}

#[test]
fn f1_l4_framing_by_a_byte_is_its_model() {
    explore(Framing::Byte(b'a'), |input, max| byte(b'a', input, max));
}
