//! Sending.

use std::rc::Rc;
use std::time::Duration;

use async_executor::LocalExecutor;
use asyncnet::nim::Flags;
use asyncnet::{Error, Transport, Writer};
use serde_json::json;

use super::answer::{Answer, Failure, ok};
use super::system::memory;
use super::table::Socket;
use super::{Op, Stage};
use crate::bed::System;

impl<R: System> Stage<R> {
    pub(super) async fn send(&self, op: &Op) -> Answer {
        let (message, flags) = (op.bytes("data"), op.flags());
        match self.socket(op)? {
            Socket::Whole(connection) => {
                let connection = &mut *connection.lock().await;
                let sent = connection.with_flags(flags).send(&message).await;
                sent.map_err(Failure::of_send)?;
            }
            Socket::Shared(shared) => {
                let sent = send(&shared.writer, &message, flags).await;
                sent.map_err(Failure::of_send)?;
            }
            Socket::Datagram(datagrams) => {
                let to = *datagrams.to.borrow();
                let to = to.ok_or_else(|| Failure::by_type("a datagram goes to an address"))?;
                let host = to.ip().to_string();
                datagrams.socket.send_to(&message, &host, to.port()).await?;
            }
            other => return Err(other.has_no("send")),
        }
        ok(true)
    }

    /// Many sends at once, nobody waiting for any: what do they cost?
    pub(super) async fn send_many(&self, op: &Op) -> Answer {
        let Socket::Shared(shared) = self.socket(op)? else {
            return Err(Failure::by_type("sends at once take the sending half"));
        };
        let (count, size) = (op.number("n").unwrap_or(1), op.number("size").unwrap_or(1));
        // One message for all of them: what the caller holds is not to be measured.
        let message: Rc<[u8]> = vec![b'x'; size.try_into().unwrap_or_default()].into();
        let before = memory("VmRSS")?;
        let executor = LocalExecutor::new();
        let sends: Vec<_> = (0..count)
            .map(|_| {
                let (writer, message) = (shared.writer.clone(), Rc::clone(&message));
                let flags = op.flags();
                executor.spawn(async move { send(&writer, &message, flags).await })
            })
            .collect();
        executor.run(R::sleep(Duration::from_millis(100))).await;
        let grown = memory("VmRSS")?.saturating_sub(before);
        let finished = sends.iter().filter(|send| send.is_finished()).count();
        Ok(json!({
            "finished": finished < sends.len(),
            "rss_grew_mib_at_least_50": grown > 50 << 10,
            "_rss_delta_kib": grown,
            "_n_finished": finished,
        }))
    }
}

/// A writer's calls have no flags: the settings of the connection have them.
async fn send<S: Transport>(writer: &Writer<S>, message: &[u8], flags: Flags) -> Result<(), Error> {
    if flags.contains(Flags::SAFE_DISCONN) {
        writer.send(message).await
    } else {
        writer.send_all(message).await
    }
}
