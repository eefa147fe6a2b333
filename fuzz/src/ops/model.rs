//! The receiving side as the contract tells it, in the plainest way: nothing is remembered but positions in
//! the stream, and every line is searched from its front.

mod items;

use asyncnet_core::{Cause, Config, EMPTY_LINE, Flags, Framing, LineError, Loss};

/// What a receive answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Wait,
    Bytes(Vec<u8>),
    /// The items of a batch; one that is not all here is a `Wait`.
    Items(Vec<Self>),
    /// So many bytes were skipped, and what came then.
    Skipped(usize, Box<Self>),
    /// The clean end of the typed calls.
    Nothing,
    Bad(LineError),
    TooLarge,
    /// An end, and how many bytes of something unfinished came before it.
    Ended(Cause, usize),
    Closed,
    /// It waited too long; so many bytes are here.
    TimedOut(usize),
}

#[derive(Clone, Copy, Debug)]
enum State {
    Open,
    /// Inside a reported line that starts here, and ends as this framing says.
    Discarding(usize, Framing),
    /// A receive met the end.
    Ended(Cause, usize),
    /// Closed by us, with the end that was met before, if one was.
    Closed(Option<(Cause, usize)>),
}

/// What a batch or a message lacked when the front stood at a position.
#[derive(Clone, Copy, Debug)]
enum Lack {
    Nothing,
    /// So many bytes in all.
    Bytes(usize),
    Line,
}

enum Front {
    Line { len: usize, next: usize },
    Bad(LineError),
    More,
}

pub(super) struct Model<'a> {
    config: Config,
    stream: &'a [u8],
    /// How much of the stream came in.
    pub(super) arrived: usize,
    /// How much of it was answered, or dropped with a bad line.
    taken: usize,
    state: State,
    input_end: Option<Cause>,
    /// How the first write broke that did.
    pub(super) loss: Option<Loss>,
    /// How much the call that waited last still needs.
    pub(super) missing: usize,
    /// The most that was ever unread.
    pub(super) peak: usize,
    /// Good lines consumed, and bad ones.
    pub(super) lines: u64,
    pub(super) bad: u64,
    batch: (usize, Lack),
    message: (usize, Lack),
    /// Where a skip was given up.
    given_up: Option<usize>,
}

/// What `skip` asks for at once.
const LARGEST_READ: usize = 64 << 10;

impl<'a> Model<'a> {
    pub(super) fn new(config: Config, stream: &'a [u8]) -> Self {
        Self {
            config,
            stream,
            arrived: 0,
            taken: 0,
            state: State::Open,
            input_end: None,
            loss: None,
            missing: 1,
            peak: 0,
            lines: 0,
            bad: 0,
            batch: (0, Lack::Nothing),
            message: (0, Lack::Nothing),
            given_up: None,
        }
    }

    // ---- what is seen from outside ---------------------------------------------------------------

    /// What may still come in.
    pub(super) fn coming(&self) -> &'a [u8] {
        &self.stream[self.arrived..]
    }

    fn unread(&self) -> &'a [u8] {
        &self.stream[self.taken..self.arrived]
    }

    pub(super) fn peek(&self) -> &'a [u8] {
        if matches!(self.state, State::Open) { self.unread() } else { &[] }
    }

    /// How many bytes are here of what a receive waits for.
    pub(super) fn here(&self) -> usize {
        match self.state {
            State::Discarding(..) => self.kept_of_discarded(),
            _ => self.unread().len(),
        }
    }

    /// A CR is kept until it is known whether an LF follows.
    fn kept_of_discarded(&self) -> usize {
        let State::Discarding(from, framing) = self.state else { return 0 };
        let arrived = &self.stream[from..self.arrived];
        usize::from(framing == Framing::CrLf && arrived.ends_with(b"\r"))
    }

    pub(super) fn partial(&self) -> &'a [u8] {
        match self.state {
            // A close that met no end drops what is unread.
            State::Closed(Some((_, 0))) => &[],
            State::Ended(..) | State::Closed(Some(_)) => self.unread(),
            _ => &[],
        }
    }

    pub(super) fn end(&self) -> Option<(Cause, usize)> {
        match self.state {
            State::Ended(cause, partial) => Some((cause, partial)),
            State::Closed(end) => Some(end.unwrap_or((Cause::Closed, 0))),
            _ => self.loss.map(|loss| (self.input_end.unwrap_or(Cause::Lost(loss)), 0)),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    pub(super) fn wants_read(&self) -> bool {
        self.input_end.is_none() && !self.is_closed()
    }

    // ---- what happens ----------------------------------------------------------------------------

    pub(super) fn arrive(&mut self, n: usize) {
        self.arrived += n;
        self.peak = self.peak.max(self.arrived - self.taken);
        self.discard();
    }

    pub(super) fn eof(&mut self) {
        self.input_end.get_or_insert(self.loss.map_or(Cause::Eof, Cause::Lost));
    }

    pub(super) fn lost(&mut self, loss: Loss) {
        self.write_lost(loss);
        self.eof();
    }

    pub(super) fn write_lost(&mut self, loss: Loss) {
        self.loss.get_or_insert(loss);
    }

    pub(super) fn close(&mut self) {
        self.state = match self.state {
            State::Ended(cause, partial) => State::Closed(Some((cause, partial))),
            State::Closed(end) => State::Closed(end),
            _ => State::Closed(self.end()),
        };
    }

    /// F1: from the next line on.
    pub(super) fn configure(&mut self, config: Config) {
        self.config = config;
        self.batch = (self.taken, Lack::Nothing);
    }

    // ---- receives: typed calls -------------------------------------------------------------------

    pub(super) fn line(&mut self) -> Answer {
        let line = self.peek_line();
        match &line {
            Answer::Bytes(_) => self.take_front(),
            Answer::Bad(_) => self.report(),
            Answer::Nothing | Answer::Ended(..) => return self.meet_end(),
            _ => {}
        }
        line
    }

    /// The line at the front is a bad one, and reported.
    fn report(&mut self) {
        self.bad += 1;
        self.state = State::Discarding(self.taken, self.config.framing);
        self.discard();
    }

    pub(super) fn try_line(&mut self) -> Answer {
        match (self.state, self.front()) {
            (State::Closed(_), _) => Answer::Closed,
            (State::Open, Front::Line { .. } | Front::Bad(_)) => self.line(),
            _ => Answer::Nothing,
        }
    }

    pub(super) fn skip(&mut self, n: usize) -> Answer {
        let mut skipped = 0;
        let answer = loop {
            if skipped == n {
                break Answer::Nothing;
            }
            match self.some(1, (n - skipped).min(LARGEST_READ), true) {
                Answer::Bytes(bytes) => {
                    skipped += bytes.len();
                    self.given_up = Some(self.taken).filter(|_| skipped < n);
                }
                Answer::Nothing => break Answer::Ended(Cause::Eof, 0),
                answer => break answer,
            }
        };
        Answer::Skipped(skipped, Box::new(answer))
    }

    pub(super) fn peek_block(&mut self, n: usize) -> Answer {
        match self.state {
            State::Closed(_) => return Answer::Closed,
            _ if n > self.config.max_block => return Answer::TooLarge,
            _ if n == 0 => return Answer::Bytes(Vec::new()),
            State::Open if self.unread().len() >= n => {
                return Answer::Bytes(self.unread()[..n].to_vec());
            }
            State::Open if self.input_end.is_some() && !self.unread().is_empty() => {
                return self.coming_end();
            }
            _ => {}
        }
        let missing = if matches!(self.state, State::Open) { n - self.unread().len() } else { 1 };
        let answer = self.wait_or_end(missing);
        if answer == Answer::Nothing { Answer::Ended(Cause::Eof, 0) } else { answer }
    }

    pub(super) fn peek_line(&mut self) -> Answer {
        match (self.state, self.front()) {
            (State::Open, Front::Line { len, .. }) => Answer::Bytes(self.unread()[..len].to_vec()),
            (State::Open, Front::Bad(error)) => Answer::Bad(error),
            // A peek meets no end while there are bytes in front of it.
            (State::Open, Front::More) if self.input_end.is_some() && !self.unread().is_empty() => {
                self.coming_end()
            }
            _ => self.wait_or_end(1),
        }
    }

    pub(super) fn block(&mut self, n: usize) -> Answer {
        let answer = self.some(n, n, false);
        if answer == Answer::Nothing { Answer::Ended(Cause::Eof, 0) } else { answer }
    }

    pub(super) fn bytes(&mut self, n: usize) -> Answer {
        self.some(1.min(n), n, true)
    }

    // ---- receives: Nim-style calls -----------------------------------------------------------------

    pub(super) fn recv(&mut self, n: usize) -> Answer {
        let answer = if n > self.config.max_block && !self.is_closed() {
            Answer::TooLarge
        } else if self.config.buffered {
            self.some(n, n, true)
        } else {
            self.bytes(n)
        };
        self.hide(answer)
    }

    pub(super) fn recv_line(&mut self, checked: bool) -> Answer {
        let line = self.line();
        match line {
            Answer::Bytes(line) if line.is_empty() => Answer::Bytes(EMPTY_LINE.into()),
            Answer::Bytes(line) if checked && std::str::from_utf8(&line).is_err() => {
                self.bad += 1;
                Answer::Bad(LineError::Utf8(line))
            }
            line => self.hide(line),
        }
    }

    fn hide(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Nothing | Answer::Ended(Cause::Eof, _) => Answer::Bytes(Vec::new()),
            Answer::Ended(..) if self.config.nim_flags.contains(Flags::SAFE_DISCONN) => {
                Answer::Bytes(Vec::new())
            }
            answer => answer,
        }
    }

    // ---- the parts -------------------------------------------------------------------------------

    /// Between `least` and `most` bytes; fewer than `least` only in front of an end, if `short` allows.
    fn some(&mut self, least: usize, most: usize, short: bool) -> Answer {
        let closed = matches!(self.state, State::Closed(_));
        if !short && most > self.config.max_block && !closed {
            return Answer::TooLarge;
        }
        if most == 0 && !closed {
            return Answer::Bytes(Vec::new());
        }
        let have = self.peek().len();
        let rest = short && have > 0 && self.input_end.is_some();
        if matches!(self.state, State::Open) && (have >= least || rest) {
            let bytes = self.unread()[..most.min(have)].to_vec();
            self.taken += bytes.len();
            return Answer::Bytes(bytes);
        }
        match self.state {
            State::Open if self.input_end.is_none() => self.wait_or_end(most - have),
            State::Open => self.meet_end(),
            _ => self.wait_or_end(1),
        }
    }

    fn wait_or_end(&mut self, missing: usize) -> Answer {
        if self.wants_read() {
            self.missing = missing;
            return Answer::Wait;
        }
        self.meet_end()
    }

    fn meet_end(&mut self) -> Answer {
        let answer = self.coming_end();
        if let State::Discarding(from, _) = self.state {
            self.state = State::Ended(self.input_end.unwrap_or(Cause::Eof), self.arrived - from);
            self.taken = self.arrived;
        } else if matches!(self.state, State::Open) {
            let cause = self.input_end.unwrap_or(Cause::Eof);
            self.state = State::Ended(cause, self.unread().len());
        }
        answer
    }

    fn coming_end(&self) -> Answer {
        let cause = self.input_end.unwrap_or(Cause::Eof);
        let (cause, partial) = match self.state {
            State::Closed(_) => return Answer::Closed,
            State::Ended(cause, partial) => (cause, partial),
            State::Discarding(from, _) => (cause, self.arrived - from),
            State::Open => (cause, self.unread().len()),
        };
        // B6
        let is_in_skip = self.given_up == Some(self.taken);
        if (cause, partial) == (Cause::Eof, 0) && !is_in_skip {
            Answer::Nothing
        } else {
            Answer::Ended(cause, partial)
        }
    }

    fn take_front(&mut self) {
        if let Front::Line { next, .. } = self.front() {
            self.taken += next;
            self.lines += 1;
        }
    }

    /// L1, L2, L4, F1: what the unread bytes say about the first line.
    fn front(&self) -> Front {
        let (bytes, max) = (self.unread(), self.config.max_line);
        let (strict, ends, takes_cr) = match self.config.framing {
            Framing::CrLf => (true, b'\n', true),
            Framing::Byte(byte) => (false, byte, false),
            framing => (false, b'\n', framing == Framing::Lenient),
        };
        let at = bytes.iter().position(|byte| *byte == ends || strict && *byte == b'\r');
        let before = &bytes[..at.unwrap_or(bytes.len())];
        let text = before.strip_suffix(b"\r").filter(|_| takes_cr && !strict).unwrap_or(before);
        if text.len() > max {
            return Front::Bad(LineError::TooLong { max });
        }
        let line = |next| Front::Line { len: text.len(), next };
        match &bytes[before.len()..] {
            [] => Front::More,
            _ if !strict => line(before.len() + 1),
            [b'\r'] => Front::More,
            [b'\r', b'\n', ..] => line(before.len() + 2),
            [b'\r', ..] => Front::Bad(LineError::BareCr),
            _ => Front::Bad(LineError::BareLf),
        }
    }

    /// L2, L4: a reported line is dropped through its terminator.
    fn discard(&mut self) {
        let State::Discarding(from, framing) = self.state else { return };
        let end = match framing {
            Framing::CrLf => b"\r\n".to_vec(),
            Framing::Byte(byte) => vec![byte],
            _ => b"\n".to_vec(),
        };
        let arrived = &self.stream[from..self.arrived];
        if let Some(at) = arrived.windows(end.len()).position(|bytes| bytes == end) {
            self.taken = from + at + end.len();
            self.state = State::Open;
        }
    }
}
