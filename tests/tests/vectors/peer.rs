//! The other end: blocking sockets of the standard library, which know nothing of ours.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use socket2::SockRef;

use crate::step::Peer;

/// What takes longer fails.
const PATIENCE: Duration = Duration::from_secs(8);
/// Between the bytes of a drip.
const GAP: Duration = Duration::from_millis(2);
/// So small that a large send of ours does not fit into it.
const BUFFER: usize = 64 << 10;

/// All connections of the peer, and its listener.
pub(crate) struct Peers {
    listener: TcpListener,
    connections: HashMap<String, Arc<TcpStream>>,
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
                let stream = self.connections.remove(name).ok_or("it is gone")?;
                SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).map_err(text)?;
            }
            _ => transfer(self.connections.get(name).ok_or("it is gone")?, act)?,
        }
        Ok(())
    }

    fn add(&mut self, name: &str, stream: TcpStream) {
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        stream.set_nodelay(true).expect("an option");
        self.connections.insert(name.into(), Arc::new(stream));
    }
}

fn transfer(mut stream: &TcpStream, act: &Peer) -> Result<(), String> {
    match act {
        Peer::Send(bytes) => stream.write_all(bytes).map_err(text)?,
        Peer::Drip(bytes) => {
            for byte in bytes {
                stream.write_all(&[*byte]).map_err(text)?;
                sleep(GAP);
            }
        }
        Peer::Recv(bytes) => {
            let mut got = vec![0; bytes.len()];
            stream.read_exact(&mut got).map_err(text)?;
            if got != *bytes {
                return Err(format!("it got \"{}\"", got.escape_ascii()));
            }
        }
        Peer::Skip(n) => stream.read_exact(&mut vec![0; *n]).map_err(text)?,
        Peer::Shutdown => stream.shutdown(Shutdown::Write).map_err(text)?,
        Peer::SeesEnd => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).map_err(text)?;
            if !rest.is_empty() {
                return Err(format!("it got \"{}\" first", rest.escape_ascii()));
            }
        }
        Peer::SeesReset => match stream.read_to_end(&mut Vec::new()) {
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
