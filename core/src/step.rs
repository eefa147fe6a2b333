//! The answer of a machine that never waits.

/// What a receive can say now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "NeedInput asks for a read: without one the call will never get further"]
pub enum Step<T> {
    /// The answer.
    Ready(T),
    /// Nothing yet: transmit what is outgoing, read the transport, or wait for the time that
    /// [`poll_timeout`](crate::Connection::poll_timeout) says, then ask again.
    NeedInput,
}

impl<T> Step<T> {
    /// Applies `f` to an answer.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Ready(answer) => Step::Ready(f(answer)),
            Self::NeedInput => Step::NeedInput,
        }
    }

    /// The answer, if there is one.
    pub fn ready(self) -> Option<T> {
        match self {
            Self::Ready(answer) => Some(answer),
            Self::NeedInput => None,
        }
    }
}
