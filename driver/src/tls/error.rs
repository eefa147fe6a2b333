//! What can be wrong with TLS settings.

use std::path::PathBuf;
use std::{fmt, io};

use crate::Error;

/// Why TLS settings cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ContextError {
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// What should be PEM is not, or holds no certificate or key where one is needed. The text names the file,
    /// if there is one, and the line at fault.
    Pem(String),
    /// A server has no certificate.
    Missing,
    /// The certificate has expired; the text has the date.
    Expired(String),
    /// The server's certificates cannot be replaced in this way: the text says why.
    Fixed(&'static str),
    /// It is neither a DNS name nor an IP address.
    Name(String),
    /// rustls refuses the settings: a key that does not fit its certificate, no root that can be used.
    Refused(rustls::Error),
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Pem(why) => write!(f, "invalid PEM: {why}"),
            Self::Missing => f.write_str("a server needs a certificate and a key"),
            Self::Expired(why) => f.write_str(why),
            Self::Fixed(why) => f.write_str(why),
            Self::Name(name) => write!(f, "{name:?} is neither a DNS name nor an IP address"),
            Self::Refused(rustls::Error::InconsistentKeys(_)) => {
                f.write_str("the private key does not belong to the certificate")
            }
            Self::Refused(error) => write!(f, "these TLS settings cannot be used: {error}"),
        }
    }
}

impl std::error::Error for ContextError {}

impl From<rustls::Error> for ContextError {
    fn from(error: rustls::Error) -> Self {
        Self::Refused(error)
    }
}

impl From<ContextError> for Error {
    fn from(error: ContextError) -> Self {
        io::Error::from(error).into()
    }
}

impl From<ContextError> for io::Error {
    fn from(error: ContextError) -> Self {
        let kind = match &error {
            ContextError::Read(_, error) => error.kind(),
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
