//! The log: lines on standard error, written by a thread of their own.
//!
//! Nothing that logs ever waits. Where standard error is not read, what does not fit into the queue is dropped and
//! counted, and the log says so once it is read again. Otherwise a pipe that is not read would stop the room.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

/// How many lines may wait to be written.
const QUEUE: usize = 1024;

/// How long the end of the program waits until they are.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object on each line
    Json,
}

enum Message {
    Line(Vec<u8>),
    /// What comes behind this goes there.
    #[cfg(unix)]
    To(Box<dyn Write + Send>),
    /// Everything in front of it is written once this is answered.
    Written(SyncSender<()>),
}

/// A handle to the log.
#[derive(Clone)]
pub(crate) struct Log {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Starts to log in this form.
    pub(crate) fn start(form: Form) -> io::Result<Self> {
        let (queue, lines) = mpsc::sync_channel(QUEUE);
        let log = Self { queue, dropped: Arc::default() };
        let dropped = Arc::clone(&log.dropped);
        thread::Builder::new().name("log".into()).spawn(move || write_all(&lines, &dropped))?;

        let builder = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            // Where standard error is closed, a word about that on standard error would be a panic.
            .log_internal_errors(false);
        match form {
            Form::Text => builder.init(),
            Form::Json => builder.json().init(),
        }
        Ok(log)
    }

    /// Writes to `writer` from now on, and no more to standard error.
    #[cfg(unix)]
    pub(crate) fn write_to(&self, writer: impl Write + Send + 'static) {
        // There is room: it is called before much is logged.
        let _ = self.queue.try_send(Message::To(Box::new(writer)));
    }

    /// How many lines were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits a moment until what was logged is written.
    pub(crate) fn finish(&self) {
        let until = Instant::now() + LAST_WORDS;
        let (answer, written) = mpsc::sync_channel(1);
        while let Err(mpsc::TrySendError::Full(_)) =
            self.queue.try_send(Message::Written(answer.clone()))
        {
            if Instant::now() >= until {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Write for Log {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(lines: &Receiver<Message>, dropped: &AtomicU64) {
    let mut said = 0;
    #[cfg_attr(not(unix), expect(unused_mut, reason = "a terminal is written to on Unix alone"))]
    let mut out: Box<dyn Write> = Box::new(io::stderr());
    for message in lines {
        match message {
            // Standard error may be closed.
            Message::Line(line) => drop(out.write_all(&line)),
            #[cfg(unix)]
            Message::To(writer) => out = writer,
            Message::Written(answer) => drop(answer.try_send(())),
        }
        let now = dropped.load(Ordering::Relaxed);
        if now > said {
            // It may not fit either. Then it is counted, and said later.
            warn!(lines = now - said, "lines of this log were dropped: they were not read in time");
            said = now;
        }
    }
}
