//! What others say, made safe for a terminal.
//!
//! A terminal obeys control bytes: they move its cursor, clear it, rename its window and make it answer as if
//! somebody had typed. So none of another's reaches one.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` as a terminal may show it: control characters other than TAB, characters that reorder text or break
/// lines, and bytes that are not UTF-8 are written as escapes (`\x1b`, `\u{202e}`). A backslash stays as it is, so an
/// escape may also be what somebody typed.
pub(crate) fn shown(text: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(text) {
        if !text.contains(is_unsafe) {
            return Cow::Borrowed(text);
        }
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            // A String takes everything.
            let _ = match c {
                _ if !is_unsafe(c) => shown.write_char(c),
                _ if c.is_ascii() => write!(shown, "\\x{:02x}", u32::from(c)),
                _ => write!(shown, "\\u{{{:x}}}", u32::from(c)),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    Cow::Owned(shown)
}

fn is_unsafe(c: char) -> bool {
    match c {
        '\t' => false,
        // They change the direction of what follows.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        '\u{2028}' | '\u{2029}' => true,
        _ => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is() {
        for text in ["", "plain", "a\ttab", "grüße, 你好, שלום, 👩\u{200d}💻", "a \\ b"]
        {
            assert!(matches!(shown(text.as_bytes()), Cow::Borrowed(shown) if shown == text));
        }
    }

    #[test]
    fn every_c0_control_but_tab_and_every_c1_control_is_an_escape() {
        for c in ('\0'..' ').chain('\x7f'..'\u{a0}').filter(|c| *c != '\t') {
            let text = format!("a{c}b");
            let shown = shown(text.as_bytes());
            assert!(!shown.contains(char::is_control), "{shown:?}");
            assert!(shown.starts_with("a\\") && shown.ends_with('b'), "{shown:?}");
        }
        assert_eq!(shown(b"\x1b[2J\x07"), "\\x1b[2J\\x07");
        assert_eq!(shown("\u{9b}2J".as_bytes()), "\\u{9b}2J");
    }

    #[test]
    fn what_reorders_text_or_breaks_lines_is_an_escape() {
        let all = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\
                   \u{2028}\u{2029}";
        for c in all.chars() {
            assert_eq!(shown(c.to_string().as_bytes()), format!("\\u{{{:x}}}", u32::from(c)));
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_escapes() {
        // 0x9b alone begins a control sequence on a terminal that is not set to UTF-8.
        assert_eq!(shown(b"a\x9b2Jb"), "a\\x9b2Jb");
        assert_eq!(shown(b"\xe2\x82"), "\\xe2\\x82");
        assert_eq!(shown(b"\xff\x1b\xc3\xbc"), "\\xff\\x1b\u{fc}");
    }
}
