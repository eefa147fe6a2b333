//! Why a secure layer failed.

use alloc::boxed::Box;
use core::fmt;

/// Why a secure layer failed. Final: nothing can be received or sent any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    kind: TlsErrorKind,
    detail: Box<str>,
}

impl TlsError {
    /// An error of this kind, with `detail` for people.
    #[must_use]
    pub fn new(kind: TlsErrorKind, detail: impl Into<Box<str>>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> TlsErrorKind {
        self.kind
    }

    /// More about it, for people; may be empty.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// What went wrong in a secure layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsErrorKind {
    /// The peer's certificate is not accepted here.
    Certificate(CertificateFault),
    /// The peer ended TLS with this alert (RFC 8446, section 6): it did not accept our certificate (42 to 49,
    /// 116), or anything else.
    Alert(u8),
    /// The peer sent what no TLS peer sends: it does not speak TLS, or bytes were changed on the way.
    Protocol,
    /// We and the peer have no version, cipher suite or application protocol in common.
    Incompatible,
    /// The peer left in the middle of the handshake.
    LeftInHandshake,
    /// The handshake took too long.
    TimedOut,
    /// Something in our own settings or on our own side.
    Local,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It is for another name.
    WrongName,
    /// No authority that is trusted here has signed it: the authority is unknown, or another key signed
    /// in its name (as after a private authority was made again).
    UnknownIssuer,
    /// It is no longer valid.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It was revoked.
    Revoked,
    /// The peer sent none.
    Missing,
    /// Something else.
    Other,
}

impl fmt::Display for TlsErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(fault) => fault.fmt(f),
            Self::Alert(alert) => write!(f, "the peer ended TLS with alert {alert}"),
            Self::Protocol => f.write_str("the peer sent something that is not valid TLS"),
            Self::Incompatible => f.write_str(
                "the peer and this side have no TLS version, cipher suite or protocol in common",
            ),
            Self::LeftInHandshake => f.write_str("the peer left during the TLS handshake"),
            Self::TimedOut => f.write_str("the TLS handshake took too long"),
            Self::Local => f.write_str("TLS failed on this side"),
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongName => "the peer's certificate is for another name",
            Self::UnknownIssuer => "no trusted authority has signed the peer's certificate",
            Self::Expired => "the peer's certificate has expired",
            Self::NotYetValid => "the peer's certificate is not valid yet",
            Self::Revoked => "the peer's certificate was revoked",
            Self::Missing => "the peer sent no certificate",
            Self::Other => "the peer's certificate is not accepted",
        })
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl core::error::Error for TlsError {}
