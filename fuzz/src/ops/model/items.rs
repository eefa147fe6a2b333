//! N1 to N8: batches and messages, as the contract tells them.

use super::{Answer, Front, Lack, Model, State};
use crate::ops::call::{Batch, Item};

/// What a parser makes of the unread bytes.
enum Parsed {
    /// The block, and how many bytes are consumed.
    Done(Vec<u8>, usize),
    Answer(Answer),
    Short(Lack),
}

impl Model<'_> {
    pub(in crate::ops) fn batch(&mut self, batch: Batch) -> Answer {
        if let Some(answer) = self.wait_for(self.batch) {
            return answer;
        }
        // Holds only for a batch that takes nothing and lacks nothing.
        self.batch = (self.taken, Lack::Bytes(self.unread().len() + 1));
        let mut answers = Vec::new();
        for item in batch.items() {
            let answer = self.item(item);
            let over = answer == Answer::Wait;
            if !over {
                // An item, perhaps an empty one, or an error: the next batch need not wait.
                self.batch = (self.taken, Lack::Nothing);
            }
            answers.push(answer);
            if over {
                break;
            }
        }
        Answer::Items(answers)
    }

    fn item(&mut self, item: Item) -> Answer {
        let is_open = matches!(self.state, State::Open);
        let here = self.peek().len();
        let lack = match item {
            Item::Block(n) if n > self.config.max_block => return Answer::TooLarge,
            Item::Block(n) if n <= here => return self.take(n),
            Item::Bytes(n) if n.min(here) > 0 || n == 0 => return self.take(n.min(here)),
            Item::Bytes(_) => return Answer::Wait,
            _ if !is_open => return Answer::Wait,
            Item::Block(n) => Lack::Bytes(n),
            Item::Line => match self.front() {
                Front::Line { .. } | Front::Bad(_) => return self.line(),
                Front::More => Lack::Line,
            },
            Item::With => match self.parse() {
                Parsed::Short(lack) => lack,
                parsed => return self.settle(parsed),
            },
        };
        self.batch = (self.taken, lack);
        Answer::Wait
    }

    /// The next message: a line, and a block as long as its text, which is the answer.
    pub(in crate::ops) fn message(&mut self) -> Answer {
        if let Some(answer) = self.wait_for(self.message) {
            return answer;
        }
        self.message = (self.taken, Lack::Nothing);
        match self.parse() {
            Parsed::Short(lack) => {
                self.message = (self.taken, lack);
                self.wait_for(self.message).expect("it lacks something")
            }
            parsed => self.settle(parsed),
        }
    }

    fn parse(&self) -> Parsed {
        match self.front() {
            Front::More => Parsed::Short(Lack::Line),
            Front::Bad(error) => Parsed::Answer(Answer::Bad(error)),
            Front::Line { len, .. } if len > self.config.max_block => {
                Parsed::Answer(Answer::TooLarge)
            }
            Front::Line { len, next } => match self.unread().get(next..next + len) {
                Some(block) => Parsed::Done(block.to_vec(), next + len),
                None => Parsed::Short(Lack::Bytes(next + len)),
            },
        }
    }

    fn settle(&mut self, parsed: Parsed) -> Answer {
        match parsed {
            Parsed::Done(block, n) => {
                self.taken += n;
                self.lines += 1;
                Answer::Bytes(block)
            }
            Parsed::Answer(answer) => {
                if matches!(answer, Answer::Bad(_)) {
                    self.report();
                }
                answer
            }
            Parsed::Short(_) => Answer::Wait,
        }
    }

    fn take(&mut self, n: usize) -> Answer {
        let bytes = self.peek()[..n].to_vec();
        self.taken += n;
        Answer::Bytes(bytes)
    }

    /// The answer where what was lacking is still lacking.
    fn wait_for(&mut self, (at, lack): (usize, Lack)) -> Option<Answer> {
        if !matches!(self.state, State::Open) {
            return Some(self.wait_or_end(1));
        }
        let have = self.unread().len();
        let missing = match lack {
            Lack::Bytes(total) if at == self.taken => total.saturating_sub(have),
            Lack::Line if at == self.taken => usize::from(matches!(self.front(), Front::More)),
            _ => usize::from(have == 0),
        };
        (missing > 0).then(|| self.wait_or_end(missing))
    }
}
