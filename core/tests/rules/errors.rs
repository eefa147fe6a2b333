//! One error for all calls: what it says, and what it is to the standard library.

use std::error::Error as _;

use asyncnet_core::{
    Cause, End, Error, LineError, Loss, Timeout, TlsError, TlsErrorKind, UpgradeRefused,
};

fn all() -> Vec<Error> {
    vec![
        Error::Line(LineError::BareCr),
        Error::TooLarge { len: 2, max: 1 },
        Error::Full { queued: 2, max: 1 },
        Error::LineBreak,
        Error::Interrupted,
        Error::TimedOut(Timeout::Receive { partial: 0 }),
        Error::TimedOut(Timeout::Receive { partial: 7 }),
        Error::TimedOut(Timeout::Idle),
        Error::TimedOut(Timeout::Close),
        Error::Disconnected(End::new(Cause::Eof, 3)),
        Error::Disconnected(Loss::Reset.into()),
        Error::Tls(TlsError::new(TlsErrorKind::Protocol, "detail")),
        UpgradeRefused::BufferedPlaintext(1).into(),
        UpgradeRefused::UnsentPlaintext(1).into(),
        UpgradeRefused::Discarding.into(),
        UpgradeRefused::AlreadyTls.into(),
        UpgradeRefused::Settings("no name".into()).into(),
        Error::Closed,
        Error::protocol("the peer speaks out of turn"),
        Error::Incomplete,
    ]
}

#[test]
fn every_error_says_something_of_its_own_and_equals_itself_alone() {
    for (i, one) in all().iter().enumerate() {
        for (j, other) in all().iter().enumerate() {
            assert_eq!(one == other, i == j, "{one:?} and {other:?}");
            assert_eq!(one.to_string() == other.to_string(), i == j, "{one} and {other}");
        }
    }
}

#[test]
fn an_error_tells_its_source() {
    // What it shows as its own text is not its source too: a report of the whole chain would say it twice.
    assert!(all().iter().all(|error| error.source().is_none()));
    #[derive(Debug)]
    struct Outer(LineError);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the header is bad")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let error = Error::protocol(Outer(LineError::BareLf));
    assert_eq!(error.to_string(), "the header is bad");
    assert!(error.source().is_some_and(|source| source.downcast_ref() == Some(&LineError::BareLf)));
}

#[test]
fn what_goes_on_after_an_error_is_told_apart() {
    let over = |error: &&Error| !error.is_recoverable();
    let over: Vec<_> = all().iter().filter(over).map(ToString::to_string).collect();
    assert_eq!(over.len(), 6, "{over:?}");
    assert_eq!(all().iter().filter(|error| error.is_disconnect()).count(), 2);
}

#[test]
fn an_error_is_small() {
    assert!(size_of::<Error>() <= 32, "{}", size_of::<Error>());
}

#[cfg(feature = "std")]
mod io {
    use std::io::{Error as IoError, ErrorKind};

    use super::*;

    #[test]
    fn an_error_survives_the_way_through_an_io_error() {
        for (error, again) in all().into_iter().zip(all()) {
            let kind = error.kind();
            let io = IoError::from(error);
            assert_eq!(io.kind(), kind);
            assert_eq!(Error::from(io), again);
        }
    }

    #[test]
    fn an_io_error_stays_what_it_is() {
        let error = Error::from(IoError::from_raw_os_error(24));
        assert!(matches!(&error, Error::Io(io) if io.raw_os_error() == Some(24)));
        assert_eq!(IoError::from(error).raw_os_error(), Some(24));
        let foreign = IoError::other("of another library");
        assert_eq!(Error::from(foreign).to_string(), "of another library");
        assert!(Error::from(IoError::from(ErrorKind::NotFound)).is_recoverable());
    }

    #[test]
    fn a_loss_keeps_its_kind() {
        for (loss, kind) in [
            (Loss::Reset, ErrorKind::ConnectionReset),
            (Loss::Aborted, ErrorKind::ConnectionAborted),
            (Loss::BrokenPipe, ErrorKind::BrokenPipe),
            (Loss::TimedOut, ErrorKind::TimedOut),
            (Loss::HostUnreachable, ErrorKind::HostUnreachable),
            (Loss::NetworkUnreachable, ErrorKind::NetworkUnreachable),
            (Loss::NetworkDown, ErrorKind::NetworkDown),
            (Loss::WriteZero, ErrorKind::WriteZero),
            (Loss::Other, ErrorKind::Other),
        ] {
            assert_eq!(Error::Disconnected(loss.into()).kind(), kind);
        }
        assert_eq!(
            Error::Disconnected(End::new(Cause::Truncated, 0)).kind(),
            ErrorKind::UnexpectedEof
        );
    }
}
