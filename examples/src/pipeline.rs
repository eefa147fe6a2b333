//! Many tasks, one connection: commands go out in one order, and answers come back in the same.
//!
//! For protocols whose server answers every command once and in order: RESP, memcached. A caller that is dropped
//! keeps its place in that order: its answer is received and thrown away, and never given to the next caller.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asyncnet::{Connection, Error, Timeout, Transport, Unread, Writer};
use oneshot::{Sender, async_channel};

/// Sends commands for any number of tasks. It is made together with the task that receives.
pub struct Pipeline<S: Transport, T> {
    writer: Writer<S>,
    callers: Arc<Mutex<Callers<T>>>,
}

/// Those who wait for an answer, in order.
struct Callers<T> {
    waiting: VecDeque<Sender<Result<T, Error>>>,
    /// The first of them waits since before the last timeout.
    is_late: bool,
    /// Why no answer comes any more.
    over: Option<Error>,
}

impl<S: Transport, T> Pipeline<S, T> {
    /// A pipeline over `conn`, and the task that takes answers with `parse` until the connection ends. The task's
    /// result says why it ended; to [`close`](Self::close) is no error.
    ///
    /// With a [`receive_timeout`](asyncnet::Config), a server that owes an answer and says nothing for that long, at
    /// most twice that long, is an error.
    pub fn new(
        mut conn: Connection<S>,
        parse: impl FnMut(&mut Unread<'_>) -> Result<T, Error>,
    ) -> (Self, impl Future<Output = Result<(), Error>>) {
        let callers = Callers { waiting: VecDeque::new(), is_late: false, over: None };
        let callers = Arc::new(Mutex::new(callers));
        let pipeline = Self { writer: conn.writer(), callers: Arc::clone(&callers) };
        (pipeline, receive(conn, parse, Task(callers)))
    }

    /// Sends a command, and waits for its answer.
    ///
    /// # Errors
    ///
    /// Why no answer comes: the end of the connection, or what was wrong with an earlier answer.
    ///
    /// # Cancel safety
    ///
    /// A command is sent whole or not at all. The answer to one that was sent is received and thrown away.
    pub async fn call(&self, command: &[u8]) -> Result<T, Error> {
        self.send(command).await?.await
    }

    /// Queues a command, waiting for room, and returns the future of its answer: many can be in flight.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call), for the future that it returns too.
    pub async fn send(
        &self,
        command: &[u8],
    ) -> Result<impl Future<Output = Result<T, Error>> + use<S, T>, Error> {
        loop {
            match self.try_send(command) {
                // Others have filled the queue: it is tried again when that has drained.
                Err(Error::Full { .. }) => self.writer.flush().await?,
                sent => return sent,
            }
        }
    }

    fn try_send(
        &self,
        command: &[u8],
    ) -> Result<impl Future<Output = Result<T, Error>> + use<S, T>, Error> {
        let mut callers = lock(&self.callers);
        if let Some(over) = &callers.over {
            return Err(again(over));
        }
        // Under the lock, so that the order of the callers is that of the commands.
        self.writer.feed(command)?;
        let (caller, answer) = async_channel();
        callers.waiting.push_back(caller);
        Ok(async { answer.await.unwrap_or(Err(Error::Closed)) })
    }

    /// Closes the connection. Callers that wait get [`Error::Closed`].
    ///
    /// # Errors
    ///
    /// As [`Writer::close`].
    ///
    /// # Cancel safety
    ///
    /// As [`Writer::close`].
    pub async fn close(&self) -> Result<(), Error> {
        self.writer.close().await
    }
}

/// The task of a pipeline. Its drop is the end of all callers.
struct Task<T>(Arc<Mutex<Callers<T>>>);

impl<T> Task<T> {
    /// Gives an answer to the first caller, who may be gone.
    fn answer(&self, answer: T) -> Result<(), Error> {
        let mut callers = lock(&self.0);
        callers.is_late = false;
        let first = callers.waiting.pop_front();
        // A caller that is woken may want the lock.
        drop(callers);
        let nobody = || Error::protocol("the server answered a command that nobody sent");
        drop(first.ok_or_else(nobody)?.send(Ok(answer)));
        Ok(())
    }

    /// Whether an answer has been owed since before the last timeout.
    fn is_late(&self) -> bool {
        let mut callers = lock(&self.0);
        let was_late = callers.is_late;
        callers.is_late = !callers.waiting.is_empty();
        was_late && callers.is_late
    }

    fn end(&self, why: Error) {
        let mut callers = lock(&self.0);
        let left = std::mem::take(&mut callers.waiting);
        let why = again(callers.over.get_or_insert(why));
        drop(callers);
        for caller in left {
            drop(caller.send(Err(again(&why))));
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.end(Error::Closed);
    }
}

async fn receive<S: Transport, T>(
    mut conn: Connection<S>,
    mut parse: impl FnMut(&mut Unread<'_>) -> Result<T, Error>,
    task: Task<T>,
) -> Result<(), Error> {
    let Err(why) = until_the_end(&mut conn, &mut parse, &task).await;
    task.end(again(&why));
    // Nobody can tell which answer is whose behind one that was not understood.
    conn.abort();
    if why == Error::Closed { Ok(()) } else { Err(why) }
}

async fn until_the_end<S: Transport, T>(
    conn: &mut Connection<S>,
    parse: &mut impl FnMut(&mut Unread<'_>) -> Result<T, Error>,
    task: &Task<T>,
) -> Result<Infallible, Error> {
    loop {
        let mut batch = match conn.next_batch().await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Err(conn.end().map_or(Error::Closed, Error::Disconnected)),
            Err(Error::TimedOut(Timeout::Receive { .. })) if !task.is_late() => continue,
            Err(error) => return Err(error),
        };
        while let Some(answer) = batch.next_with(&mut *parse)? {
            task.answer(answer)?;
        }
    }
}

/// The same error for another caller.
fn again(error: &Error) -> Error {
    match error {
        Error::Disconnected(end) => Error::Disconnected(*end),
        Error::TimedOut(timeout) => Error::TimedOut(*timeout),
        Error::Line(error) => Error::Line(error.clone()),
        Error::TooLarge { len, max } => Error::TooLarge { len: *len, max: *max },
        Error::Closed => Error::Closed,
        other => Error::protocol(other.to_string()),
    }
}

fn lock<T>(callers: &Mutex<Callers<T>>) -> MutexGuard<'_, Callers<T>> {
    callers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Transport, T> Clone for Pipeline<S, T> {
    fn clone(&self) -> Self {
        Self { writer: self.writer.clone(), callers: Arc::clone(&self.callers) }
    }
}

impl<S: Transport, T> fmt::Debug for Pipeline<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("waiting", &lock(&self.callers).waiting.len())
            .finish_non_exhaustive()
    }
}
