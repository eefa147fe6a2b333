//! One connection of the peer, in plain or with rustls on top.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use asyncnet::tls::rustls::pki_types::ServerName;
use asyncnet::tls::rustls::{ClientConnection, Connection, Error, ServerConnection};

use crate::certificates::{client, server};

pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    tls: Option<Connection>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, tls: None }
    }

    /// Goes through the handshake: as the server that shows `certificate`, or as the client if there is
    /// none. If `alert` is one, our side has to refuse with it.
    pub(crate) fn handshake(
        &mut self,
        certificate: Option<&str>,
        alert: Option<u8>,
    ) -> Result<(), String> {
        let name = ServerName::try_from("localhost").expect("it is a name");
        let made = match certificate {
            Some(certificate) => ServerConnection::new(server(certificate)?).map(Connection::from),
            None => ClientConnection::new(client()?, name).map(Connection::from),
        };
        let mut tls = made.map_err(|error| error.to_string())?;
        tls.set_buffer_limit(None);
        match (tls.complete_io(&mut self.stream), alert) {
            (Ok(_), None) => self.tls = Some(tls),
            (Err(error), Some(alert)) if alert_in(&error) == Some(alert) => {}
            (Err(error), _) => return Err(error.to_string()),
            (Ok(_), Some(_)) => return Err("the handshake succeeds".into()),
        }
        Ok(())
    }

    /// What has to be on the wire for `bytes` to arrive.
    pub(crate) fn seal(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(tls) = &mut self.tls else {
            return bytes.into();
        };
        tls.writer().write_all(bytes).expect("there is no limit");
        self.outgoing()
    }

    /// The close notice, sealed.
    pub(crate) fn notice(&mut self) -> Vec<u8> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.outgoing()
    }

    fn outgoing(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.wants_write()) {
            tls.write_tls(&mut wire).expect("a Vec takes everything");
        }
        wire
    }

    /// Nothing more comes, and over TLS a close notice says so.
    pub(crate) fn sees_end(&mut self) -> Result<(), String> {
        let mut rest = Vec::new();
        self.read_to_end(&mut rest).map_err(|error| error.to_string())?;
        // Behind the notice too.
        self.stream.read_to_end(&mut rest).map_err(|error| error.to_string())?;
        if rest.is_empty() {
            return Ok(());
        }
        Err(format!("it got \"{}\" first", rest.escape_ascii()))
    }

    /// The next thing that comes is this alert.
    pub(crate) fn sees_alert(&mut self, alert: u8) -> Result<(), String> {
        match self.read(&mut [0]) {
            Err(error) if alert_in(&error) == Some(alert) => Ok(()),
            other => Err(format!("it sees {other:?}")),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.stream.read(buf);
        };
        loop {
            match tls.reader().read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    tls.complete_io(&mut self.stream)?;
                }
                read => return read,
            }
        }
    }
}

/// The alert that our side sent, if that is what the error is about.
fn alert_in(error: &io::Error) -> Option<u8> {
    match error.get_ref()?.downcast_ref()? {
        Error::AlertReceived(alert) => Some((*alert).into()),
        _ => None,
    }
}
