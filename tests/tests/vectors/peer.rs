//! The other end: blocking sockets of the standard library and rustls, which know nothing of ours.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use socket2::SockRef;

use crate::step::Peer;
use crate::wire::Wire;

/// What takes longer fails.
const PATIENCE: Duration = Duration::from_secs(8);
/// Between the bytes of a drip.
const GAP: Duration = Duration::from_millis(2);
/// So small that a large send of ours does not fit into it.
const BUFFER: usize = 64 << 10;

/// All connections of the peer, and its listener.
pub(crate) struct Peers {
    listener: TcpListener,
    connections: HashMap<String, Wire>,
    /// The ports of our listeners, by name.
    pub(crate) ports: HashMap<String, u16>,
}

impl Peers {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        SockRef::from(&listener).set_recv_buffer_size(BUFFER).expect("an option");
        Self { listener, connections: HashMap::new(), ports: HashMap::new() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().expect("an address").port()
    }

    /// Does it, or says why not.
    pub(crate) fn act(&mut self, name: &str, act: &Peer) -> Result<(), String> {
        match act {
            Peer::Accept => {
                let (stream, _) = self.listener.accept().map_err(text)?;
                self.add(name, stream);
            }
            Peer::Connect(listener) => {
                let port = self.ports.get(listener).ok_or("that listener said nothing")?;
                let places = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
                let places = places.map(|ip| SocketAddr::new(ip, *port));
                let stream = TcpStream::connect(&places[..]).map_err(text)?;
                self.add(name, stream);
            }
            Peer::Close => drop(self.connections.remove(name)),
            Peer::Reset => {
                let wire = self.connections.remove(name).ok_or("it is gone")?;
                SockRef::from(&wire.stream).set_linger(Some(Duration::ZERO)).map_err(text)?;
            }
            _ => transfer(self.connections.get_mut(name).ok_or("it is gone")?, act)?,
        }
        Ok(())
    }

    fn add(&mut self, name: &str, stream: TcpStream) {
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        stream.set_nodelay(true).expect("an option");
        self.connections.insert(name.into(), Wire::new(stream));
    }
}

fn transfer(wire: &mut Wire, act: &Peer) -> Result<(), String> {
    match act {
        Peer::Send(bytes) => {
            let sealed = wire.seal(bytes);
            wire.stream.write_all(&sealed).map_err(text)?;
        }
        Peer::Drip(bytes) => {
            for byte in wire.seal(bytes) {
                wire.stream.write_all(&[byte]).map_err(text)?;
                sleep(GAP);
            }
        }
        Peer::Raw(bytes) => wire.stream.write_all(bytes).map_err(text)?,
        Peer::Half(bytes) => {
            let sealed = wire.seal(bytes);
            wire.stream.write_all(&sealed[..sealed.len() / 2]).map_err(text)?;
        }
        Peer::Notice => {
            let sealed = wire.notice();
            wire.stream.write_all(&sealed).map_err(text)?;
        }
        Peer::Tls { certificate, alert } => wire.handshake(certificate.as_deref(), *alert)?,
        Peer::Recv(bytes) => {
            let mut got = vec![0; bytes.len()];
            wire.read_exact(&mut got).map_err(text)?;
            if got != *bytes {
                return Err(format!("it got \"{}\"", got.escape_ascii()));
            }
        }
        Peer::Skip(n) => wire.read_exact(&mut vec![0; *n]).map_err(text)?,
        Peer::Shutdown => wire.stream.shutdown(Shutdown::Write).map_err(text)?,
        Peer::SeesEnd => wire.sees_end()?,
        Peer::SeesAlert(alert) => wire.sees_alert(*alert)?,
        Peer::SeesClose => {
            wire.read_to_end(&mut Vec::new()).map_err(text)?;
        }
        Peer::SeesReset => match wire.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => return Err(format!("it sees {other:?}")),
        },
        _ => return Err("that is none of a connection".into()),
    }
    Ok(())
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}
