//! What a terminal sends for the keys of a person.

use tui_input::InputRequest;
use vte::{Params, Parser, Perform};

/// What a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Typed or pasted this, a TAB too.
    Text(char),
    Edit(InputRequest),
    Enter,
    /// The line typed before (up, ^P).
    Older,
    /// The line typed after it (down, ^N).
    Newer,
    /// ^C.
    Interrupt,
    /// ^D.
    End,
    /// ^L.
    Clear,
    /// ^Z.
    Suspend,
}

/// Reads keys from bytes, however these are cut.
pub(crate) struct Keys {
    parser: Parser,
    decoder: Decoder,
    last: u8,
}

/// What is known between two bytes.
#[derive(Default)]
struct Decoder {
    keys: Vec<Key>,
    /// A paste that the terminal has marked as one goes on: nothing in it is a key.
    in_paste: bool,
    /// `ESC O` came: a letter follows that names a key.
    names_key: bool,
}

const ESC: u8 = 0x1b;
const DEL: u8 = 0x7f;

/// Ends any sequence.
const CANCEL: u8 = 0x18;

impl Keys {
    pub(crate) fn new() -> Self {
        Self { parser: Parser::new(), decoder: Decoder::default(), last: 0 }
    }

    /// The keys that these bytes complete.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Key> {
        for &byte in bytes {
            let before = std::mem::replace(&mut self.last, byte);
            match (before, byte) {
                // The two are one line end, in a paste from elsewhere.
                (b'\r', b'\n') => continue,
                (ESC, DEL) => self.decoder.key(Key::Edit(InputRequest::DeletePrevWord)),
                // They would begin a string without an end. A person has pressed Alt and that key.
                (ESC, b']' | b'P' | b'X' | b'^' | b'_') => {}
                _ => {
                    self.parser.advance(&mut self.decoder, &[byte]);
                    continue;
                }
            }
            self.parser.advance(&mut self.decoder, &[CANCEL]);
        }
        std::mem::take(&mut self.decoder.keys)
    }
}

impl Decoder {
    fn key(&mut self, key: Key) {
        if !self.in_paste || matches!(key, Key::Text(_) | Key::Enter) {
            self.keys.push(key);
        }
    }

    fn edit(&mut self, edit: InputRequest) {
        self.key(Key::Edit(edit));
    }

    /// The keys that a final letter names.
    fn named(&mut self, name: char, with_modifier: bool) {
        use InputRequest::{
            GoToEnd, GoToNextChar, GoToNextWord, GoToPrevChar, GoToPrevWord, GoToStart,
        };
        match name {
            'A' => self.key(Key::Older),
            'B' => self.key(Key::Newer),
            'C' => self.edit(if with_modifier { GoToNextWord } else { GoToNextChar }),
            'D' => self.edit(if with_modifier { GoToPrevWord } else { GoToPrevChar }),
            'F' => self.edit(GoToEnd),
            'H' => self.edit(GoToStart),
            'M' => self.key(Key::Enter),
            _ => {}
        }
    }
}

impl Perform for Decoder {
    fn print(&mut self, c: char) {
        match c {
            _ if std::mem::take(&mut self.names_key) => self.named(c, false),
            '\x7f' => self.edit(InputRequest::DeletePrevChar),
            _ => self.key(Key::Text(c)),
        }
    }

    fn execute(&mut self, byte: u8) {
        use InputRequest::{
            DeleteFromStart, DeletePrevChar, DeletePrevWord, DeleteTillEnd, GoToEnd, GoToNextChar,
            GoToPrevChar, GoToStart, Yank,
        };
        self.names_key = false;
        // A control byte is a letter with Ctrl.
        match byte | 0x40 {
            b'I' => self.key(Key::Text('\t')),
            b'J' | b'M' => self.key(Key::Enter),
            b'A' => self.edit(GoToStart),
            b'B' => self.edit(GoToPrevChar),
            b'C' => self.key(Key::Interrupt),
            b'D' => self.key(Key::End),
            b'E' => self.edit(GoToEnd),
            b'F' => self.edit(GoToNextChar),
            b'H' => self.edit(DeletePrevChar),
            b'K' => self.edit(DeleteTillEnd),
            b'L' => self.key(Key::Clear),
            b'N' => self.key(Key::Newer),
            b'P' => self.key(Key::Older),
            b'U' => self.edit(DeleteFromStart),
            b'W' => self.edit(DeletePrevWord),
            b'Y' => self.edit(Yank),
            b'Z' => self.key(Key::Suspend),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        use InputRequest::{DeleteNextChar, DeleteNextWord, GoToEnd, GoToStart};
        self.names_key = false;
        let mut params = params.iter().filter_map(|param| param.first().copied());
        let (number, modifier) = (params.next().unwrap_or(0), params.next().unwrap_or(0));
        // 1 is none.
        let with_modifier = modifier > 1;
        match (action, number) {
            ('~', 200) => self.in_paste = true,
            ('~', 201) => self.in_paste = false,
            ('~', 1 | 7) => self.edit(GoToStart),
            ('~', 4 | 8) => self.edit(GoToEnd),
            ('~', 3) => self.edit(if with_modifier { DeleteNextWord } else { DeleteNextChar }),
            ('~', _) => {}
            (name, _) => self.named(name, with_modifier),
        }
    }

    /// A key with Alt.
    fn esc_dispatch(&mut self, _: &[u8], _: bool, byte: u8) {
        use InputRequest::{DeleteNextWord, GoToNextWord, GoToPrevWord};
        self.names_key = byte == b'O';
        match byte {
            b'b' => self.edit(GoToPrevWord),
            b'd' => self.edit(DeleteNextWord),
            b'f' => self.edit(GoToNextWord),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use InputRequest::{
        DeleteNextChar, DeletePrevChar, DeletePrevWord, GoToEnd, GoToNextWord, GoToPrevChar,
        GoToStart,
    };

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let whole = Keys::new().read(bytes);
        let mut cut = Keys::new();
        let in_pieces: Vec<_> = bytes.iter().flat_map(|byte| cut.read(&[*byte])).collect();
        assert_eq!(whole, in_pieces);
        whole
    }

    fn text(text: &str) -> Vec<Key> {
        text.chars().map(Key::Text).collect()
    }

    #[test]
    fn text_is_text_in_any_alphabet() {
        assert_eq!(keys("a\t好👩\u{200d}💻".as_bytes()), text("a\t好👩\u{200d}💻"));
        assert_eq!(keys(b"a\xffb"), text("a\u{fffd}b"));
    }

    #[test]
    fn each_terminal_has_its_own_way_to_send_a_key() {
        for (bytes, key) in [
            (&b"\x01"[..], Key::Edit(GoToStart)),
            (b"\x1b[H", Key::Edit(GoToStart)),
            (b"\x1bOH", Key::Edit(GoToStart)),
            (b"\x1b[1~", Key::Edit(GoToStart)),
            (b"\x1b[7~", Key::Edit(GoToStart)),
            (b"\x05", Key::Edit(GoToEnd)),
            (b"\x1b[F", Key::Edit(GoToEnd)),
            (b"\x1b[D", Key::Edit(GoToPrevChar)),
            (b"\x1bOD", Key::Edit(GoToPrevChar)),
            (b"\x1b[1;5C", Key::Edit(GoToNextWord)),
            (b"\x1bf", Key::Edit(GoToNextWord)),
            (b"\x1b[3~", Key::Edit(DeleteNextChar)),
            (b"\x7f", Key::Edit(DeletePrevChar)),
            (b"\x08", Key::Edit(DeletePrevChar)),
            (b"\x1b\x7f", Key::Edit(DeletePrevWord)),
            (b"\x17", Key::Edit(DeletePrevWord)),
            (b"\x1b[A", Key::Older),
            (b"\x1bOB", Key::Newer),
            (b"\r", Key::Enter),
            (b"\n", Key::Enter),
            (b"\r\n", Key::Enter),
            (b"\x1bOM", Key::Enter),
            (b"\x03", Key::Interrupt),
            (b"\x04", Key::End),
        ] {
            assert_eq!(keys(bytes), [key], "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn an_unknown_key_does_nothing_and_what_follows_is_read() {
        for unknown in [
            "\x1b[99~",
            "\x1b]",
            "\x1bP",
            "\x1b_",
            "\x1b[?1;2c",
            "\x1bq",
            "\0",
            "\x1b[999999999;1~",
        ] {
            assert_eq!(keys(format!("{unknown}a").as_bytes()), text("a"), "{unknown:?}");
        }
    }

    #[test]
    fn a_sequence_that_breaks_off_swallows_no_key_behind_it() {
        let mut expected = vec![Key::Enter];
        expected.extend(text("hi"));
        assert_eq!(keys(b"\x1bO\rhi"), expected);
        expected[0] = Key::Interrupt;
        assert_eq!(keys(b"\x1bO\x03hi"), expected);
        // Text that breaks off at the end of a paste.
        for cut in [
            &b"\xc2"[..],
            b"\xe2\x82",
            b"\xf0\x9f\x92",
            b"\x1b",
            b"\x1b[",
            b"\x1b[1;",
            b"\x1bO",
            b"\x1b(",
            b"\x1bP",
            b"\x1b]0;x",
        ] {
            let pasted = [b"\x1b[200~", cut, b"\x1b[201~\x03"].concat();
            assert_eq!(keys(&pasted).last(), Some(&Key::Interrupt), "{}", cut.escape_ascii());
        }
    }

    #[test]
    fn in_a_paste_only_line_ends_are_keys() {
        let mut expected = text("one");
        expected.push(Key::Enter);
        expected.extend(text("two\t[A"));
        expected.push(Key::Enter);
        let pasted = keys(b"\x1b[200~one\r\n\x03\x04\x7ftwo\t\x1b[A[A\n\x1b[201~\x7f");
        expected.push(Key::Edit(DeletePrevChar));
        assert_eq!(pasted, expected);
    }
}
