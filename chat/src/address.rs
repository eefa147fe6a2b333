//! Addresses on the command line, looked at before anything is opened.

use asyncnet::Address;
use asyncnet::net::host_name;

/// Where to listen, as clap reads it.
pub(crate) fn to_listen(text: &str) -> Result<String, String> {
    match text.strip_prefix("fd:") {
        Some(name) if !name.is_empty() => Ok(text.to_owned()),
        _ => to_join(text),
    }
}

/// Where a room is, as clap reads it.
pub(crate) fn to_join(text: &str) -> Result<String, String> {
    // A host in brackets is an IPv6 address and no name.
    let is_literal = ["unix:", "fd:", "["].iter().any(|prefix| text.starts_with(prefix));
    let wrong = if is_literal {
        text.parse::<Address>().err().map(|error| error.to_string())
    } else {
        host_name(text).err().map(|error| error.to_string())
    };
    wrong.map_or_else(|| Ok(text.to_owned()), Err)
}

#[cfg(test)]
mod tests {
    use super::{to_join, to_listen};

    #[test]
    fn every_form_of_an_address_is_taken() {
        for text in ["example.org:1", "127.0.0.1:0", "[::]:7", ":7", "unix:/run/chat", "unix:@chat"]
        {
            assert_eq!(to_join(text).as_deref(), Ok(text));
            assert_eq!(to_listen(text).as_deref(), Ok(text));
        }
        assert_eq!(to_listen("fd:chat").as_deref(), Ok("fd:chat"));
    }

    #[test]
    fn a_malformed_address_is_answered_with_an_example() {
        for (text, example) in [
            ("example.org", "example.org:6667"),
            ("12345", "example.org:6667"),
            ("::1:7", "[::1]:6667"),
            ("example.org:x", "example.org:6667"),
            ("unix:", "unix:/run/chat.sock"),
            ("fd:", "fd:chat"),
        ] {
            for error in [to_join(text), to_listen(text)] {
                let error = error.expect_err(text);
                assert!(error.contains(example), "{error}");
            }
        }
        to_join("fd:chat").expect_err("it can only be listened at");
        to_join("[example.org]:7").expect_err("a name in brackets");
    }
}
