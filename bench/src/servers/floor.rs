//! The floor: what the machine can do, by hand. epoll, a buffer that all connections share, one memchr for
//! each line, and one write for each connection and turn of the loop.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{TcpListener, TcpStream};

use rustix::event::epoll::EventFlags;

use super::Mode;
use crate::machine::Readiness;

/// The number of the listener; clients have their index.
const LISTENER: usize = usize::MAX;

pub(super) fn serve(listener: TcpListener, mode: Mode) -> io::Result<()> {
    let mut ready = Readiness::new()?;
    ready.add(&listener, LISTENER)?;
    let mut floor = Floor { mode, clients: Vec::new(), free: Vec::new(), said: Vec::new() };
    let (mut buffer, mut numbers) = (vec![0; 64 << 10], Vec::new());
    loop {
        ready.wait(None, |number, flags| {
            numbers.push((number, flags));
            Ok(())
        })?;
        for (number, flags) in numbers.drain(..) {
            match number {
                LISTENER => floor.accept(&listener, &ready)?,
                _ => floor.turn(number, flags, &mut buffer, &ready),
            }
        }
        floor.tell_all(&ready);
    }
}

struct Floor {
    mode: Mode,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    /// What was said in this turn.
    said: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    lines: u64,
    /// The beginning of a line.
    partial: Vec<u8>,
    /// What the socket did not take.
    pending: Vec<u8>,
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener, ready: &Readiness) -> io::Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let number = self.free.pop().unwrap_or(self.clients.len());
            if number == self.clients.len() {
                self.clients.push(None);
            }
            ready.add(&stream, number)?;
            let client = Client { stream, lines: 0, partial: Vec::new(), pending: Vec::new() };
            self.clients[number] = Some(client);
        }
    }

    /// One turn of one client. An error is the end of that client and of nobody else.
    fn turn(&mut self, number: usize, flags: EventFlags, buffer: &mut [u8], ready: &Readiness) {
        let Some(mut client) = self.clients[number].take() else { return };
        let stays = if flags.contains(EventFlags::OUT) {
            client.send_pending(self.mode, number, ready).map(|()| true)
        } else {
            self.read(&mut client, number, buffer, ready)
        };
        match stays {
            Ok(true) => self.clients[number] = Some(client),
            Ok(false) | Err(_) => self.free.push(number),
        }
    }

    /// Reads once; tells whether the client is still there.
    fn read(
        &mut self,
        client: &mut Client,
        number: usize,
        buffer: &mut [u8],
        ready: &Readiness,
    ) -> io::Result<bool> {
        let n = match client.stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            n => n?,
        };
        if n == 0 {
            if matches!(self.mode, Mode::Count | Mode::Drain) {
                client.stream.write_all(format!("{}\r\n", client.lines).as_bytes())?;
            }
            return Ok(false);
        }
        match self.mode {
            Mode::Count | Mode::Drain => {
                client.lines += count_lines(&buffer[..n]);
            }
            Mode::Echo => {
                client.take_lines(&buffer[..n], &mut self.said);
                let answer = mem::take(&mut self.said);
                let sent = client.send(&answer, self.mode, number, ready);
                self.said = answer;
                self.said.clear();
                sent?;
            }
            Mode::Chat => client.take_lines(&buffer[..n], &mut self.said),
        }
        Ok(true)
    }

    /// Writes what was said in this turn to everybody.
    fn tell_all(&mut self, ready: &Readiness) {
        if self.said.is_empty() {
            return;
        }
        for (number, place) in self.clients.iter_mut().enumerate() {
            let Some(client) = place else { continue };
            if client.send(&self.said, self.mode, number, ready).is_err() {
                *place = None;
                self.free.push(number);
            }
        }
        self.said.clear();
    }
}

impl Client {
    /// Appends the lines that end in `bytes` to `lines`, one by one.
    fn take_lines(&mut self, mut bytes: &[u8], lines: &mut Vec<u8>) {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            lines.append(&mut self.partial);
            lines.extend_from_slice(&bytes[..=at]);
            bytes = &bytes[at + 1..];
        }
        self.partial.extend_from_slice(bytes);
    }

    fn send(
        &mut self,
        bytes: &[u8],
        mode: Mode,
        number: usize,
        ready: &Readiness,
    ) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        }
        let sent = self.write(bytes)?;
        if sent < bytes.len() {
            self.pending.extend_from_slice(&bytes[sent..]);
            ready.watch(&self.stream, number, EventFlags::OUT | while_pending(mode))?;
        }
        Ok(())
    }

    fn send_pending(&mut self, mode: Mode, number: usize, ready: &Readiness) -> io::Result<()> {
        let pending = mem::take(&mut self.pending);
        let sent = self.write(&pending)?;
        self.pending.extend_from_slice(&pending[sent..]);
        let interest = match self.pending.is_empty() {
            true => EventFlags::IN,
            false => EventFlags::OUT | while_pending(mode),
        };
        ready.watch(&self.stream, number, interest)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            n => n,
        }
    }
}

/// One by one, as who uses the lines would find them; counting alone is faster still.
fn count_lines(mut bytes: &[u8]) -> u64 {
    let mut lines = 0;
    while let Some(at) = memchr::memchr(b'\n', bytes) {
        std::hint::black_box(&bytes[..at]);
        bytes = &bytes[at + 1..];
        lines += 1;
    }
    lines
}

/// Who does not read its echo is not read from; in a room it may go on talking.
fn while_pending(mode: Mode) -> EventFlags {
    if mode == Mode::Echo { EventFlags::empty() } else { EventFlags::IN }
}
