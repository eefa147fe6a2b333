//! A TLS listener over the toy runtime: silent peers wait outside, and accept does no cryptography.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use asyncnet::net::{ListenOptions, Pipe};
use asyncnet::{Address, Config, Connection, Error, Listener, TlsContext};
use futures_lite::future::{block_on, zip};
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::poll_once;
use crate::toy::{self, Toy};

/// What a peer says first. It need not be TLS: no listener looks into it.
const HELLO: &[u8] = b"hello";

/// A listener's certificate, and a client's context that trusts it.
pub(crate) fn contexts() -> (TlsContext, TlsContext) {
    let made = rcgen::generate_simple_self_signed(["server.test".to_owned()]).unwrap();
    let (key, cert) = (made.signing_key.serialize_pem(), made.cert.pem());
    let server = TlsContext::server().identity_pem(cert.as_bytes(), key.as_bytes());
    let client = TlsContext::client().ca_pem(cert.as_bytes()).unwrap().build().unwrap();
    (server.unwrap().build().unwrap(), client.for_server("server.test").unwrap())
}

fn listen(options: ListenOptions) -> (Listener<Toy>, Address) {
    let options = options.tls(&contexts().0);
    let listener = block_on(Listener::<Toy>::bind_with("127.0.0.1:0", options)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn peers(n: usize, address: &Address) -> Vec<Pipe> {
    (0..n).map(|_| toy::connect(address).unwrap()).collect()
}

/// A waker that counts.
fn counting() -> (Waker, Arc<AtomicUsize>) {
    struct Counting(Arc<AtomicUsize>);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    let count = Arc::<AtomicUsize>::default();
    (Waker::from(Arc::new(Counting(Arc::clone(&count)))), count)
}

/// What a peer that listens is told: nothing yet, the end, or a reset.
fn told(peer: &mut Pipe) -> Poll<Result<usize, ErrorKind>> {
    poll_once(peer.read(&mut [0; 64])).map_err(|error| error.kind())
}

thread_local! {
    /// The listener that `Eager` accepts from. It stays on its thread, where the waker is woken too.
    static EAGER: RefCell<Option<Rc<Listener<Toy>>>> = const { RefCell::new(None) };
}

/// Polls another accept at once, wherever it is woken.
struct Eager;

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        let Some(listener) = EAGER.with_borrow(Clone::clone) else { return };
        assert!(poll_once(listener.accept()).is_pending());
    }
}

#[test]
fn t6_an_accept_wakes_nobody_under_a_lock() {
    let (done, is_done) = channel();
    thread::spawn(move || {
        let (listener, address) = listen(ListenOptions::new());
        let listener = Rc::new(listener);
        EAGER.set(Some(Rc::clone(&listener)));
        drop(peers(40, &address));
        let waker = Waker::from(Arc::new(Eager));
        let mut accept = pin!(listener.accept());
        assert!(accept.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(listener.open_connections(), 0);
        EAGER.set(None);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(60)).expect("no deadlock");
}

#[test]
fn t6_a_crowd_of_bad_peers_leaves_others_their_turn() {
    const CROWD: usize = 1000;

    let (listener, address) = listen(ListenOptions::new());
    drop(peers(CROWD, &address));
    let queued = || toy::polls_and_waiting(&address).1;
    let mut accept = pin!(listener.accept());
    let mut polls = 0;
    let mut poll = || {
        polls += 1;
        accept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    };
    assert!(poll());
    assert!(queued() > CROWD / 2, "{} are left", queued());
    while queued() > 0 {
        assert!(poll());
    }
    assert!(polls < CROWD, "{polls} polls");
    assert_eq!(listener.open_connections(), 0);
}

#[test]
fn t6_a_connection_is_handed_out_once_its_peer_has_spoken() {
    let (listener, address) = listen(ListenOptions::new());
    let mut peers = peers(2, &address);
    let mut accept = pin!(listener.accept());
    let (waker, woken) = counting();
    let mut cx = Context::from_waker(&waker);
    assert!(accept.as_mut().poll(&mut cx).is_pending());
    assert_eq!(listener.open_connections(), 0);
    block_on(peers[1].write_all(HELLO)).unwrap();
    assert!(woken.load(SeqCst) > 0, "no task was woken");
    assert!(accept.as_mut().poll(&mut cx).is_ready());
    assert_eq!(told(&mut peers[0]), Poll::Pending);
}

#[test]
fn t6_the_oldest_silent_peer_gives_way() {
    let (listener, address) = listen(ListenOptions::new().max_silent(2));
    let mut peers = peers(3, &address);
    assert!(poll_once(listener.accept()).is_pending());
    assert_eq!(told(&mut peers[0]), Poll::Ready(Err(ErrorKind::ConnectionReset)));
    for peer in &mut peers[1..] {
        assert_eq!(told(peer), Poll::Pending);
        block_on(peer.write_all(HELLO)).unwrap();
        assert!(poll_once(listener.accept()).is_ready(), "an honest peer is locked out");
    }
}

#[test]
fn t6_a_silent_peer_is_dropped_when_its_time_is_over() {
    let config = Config::default().handshake_timeout(Duration::from_secs(10));
    let (listener, address) = listen(ListenOptions::new().config(config));
    let mut first = peers(1, &address);
    let mut accept = pin!(listener.accept());
    let (waker, woken) = counting();
    let mut cx = Context::from_waker(&waker);
    assert!(accept.as_mut().poll(&mut cx).is_pending());
    toy::advance(Duration::from_secs(6));
    let mut second = peers(1, &address);
    assert!(accept.as_mut().poll(&mut cx).is_pending());
    let before = woken.load(SeqCst);
    toy::advance(Duration::from_secs(4));
    assert!(woken.load(SeqCst) > before, "no task was woken");
    assert!(accept.as_mut().poll(&mut cx).is_pending());
    assert_eq!(told(&mut first[0]), Poll::Ready(Ok(0)));
    assert_eq!(told(&mut second[0]), Poll::Pending);
    toy::advance(Duration::from_secs(6));
    assert!(accept.as_mut().poll(&mut cx).is_pending());
    assert_eq!(told(&mut second[0]), Poll::Ready(Ok(0)));
}

#[test]
fn t6_a_silent_peer_may_have_less_time_than_a_handshake() {
    let config = Config::default().handshake_timeout(Duration::from_secs(10));
    let options = ListenOptions::new().config(config).silent_timeout(Duration::from_secs(2));
    let (listener, address) = listen(options);
    let mut peers = peers(2, &address);
    assert!(poll_once(listener.accept()).is_pending());
    toy::advance(Duration::from_secs(1));
    block_on(peers[0].write_all(&[0x16])).unwrap();
    let Poll::Ready(Ok(mut spoken)) = poll_once(listener.accept()) else { panic!("it has spoken") };
    toy::advance(Duration::from_secs(1));
    assert!(poll_once(listener.accept()).is_pending());
    assert_eq!(told(&mut peers[1]), Poll::Ready(Ok(0)));
    // The handshake behind the first byte has its own time.
    toy::advance(Duration::from_secs(5));
    assert!(poll_once(spoken.handshake()).is_pending());
    assert_eq!(told(&mut peers[0]), Poll::Pending);
}

#[test]
fn t6_silent_peers_are_looked_after_while_accept_backs_off() {
    let config = Config::default().handshake_timeout(Duration::from_millis(3));
    let (listener, address) = listen(ListenOptions::new().config(config));
    let mut peers = peers(2, &address);
    assert!(poll_once(listener.accept()).is_pending());
    toy::inject(&address, [ErrorKind::OutOfMemory]);
    assert!(poll_once(listener.accept()).is_pending());
    block_on(peers[0].write_all(HELLO)).unwrap();
    assert!(poll_once(listener.accept()).is_ready(), "it waits for the back-off");
    toy::advance(Duration::from_millis(3));
    assert!(poll_once(listener.accept()).is_pending());
    assert_eq!(told(&mut peers[1]), Poll::Ready(Ok(0)));
}

#[test]
fn t6_silent_peers_do_not_count_as_open() {
    let (listener, address) = listen(ListenOptions::new().max_open(1));
    let mut peers = peers(3, &address);
    assert!(poll_once(listener.accept()).is_pending());
    for peer in &mut peers[1..] {
        block_on(peer.write_all(HELLO)).unwrap();
    }
    let Poll::Ready(first) = poll_once(listener.accept()) else { panic!("it has spoken") };
    assert!(poll_once(listener.accept()).is_pending(), "one is open");
    drop(first);
    assert!(poll_once(listener.accept()).is_ready());
}

#[test]
fn t6_a_peer_that_has_spoken_waits_for_a_place_as_long_as_it_takes() {
    let config = Config::default().handshake_timeout(Duration::from_secs(10));
    let (listener, address) = listen(ListenOptions::new().config(config).max_open(1));
    let mut peers = peers(3, &address);
    assert!(poll_once(listener.accept()).is_pending());
    for peer in &mut peers[..2] {
        block_on(peer.write_all(HELLO)).unwrap();
    }
    let Poll::Ready(first) = poll_once(listener.accept()) else { panic!("it has spoken") };
    for _ in 0..3 {
        assert!(poll_once(listener.accept()).is_pending(), "one is open");
        toy::advance(Duration::from_secs(10));
    }
    assert_eq!(told(&mut peers[1]), Poll::Pending);
    assert_eq!(told(&mut peers[2]), Poll::Ready(Ok(0)), "it is silent");
    assert_eq!(listener.failures().silent, 1);
    drop(first);
    assert!(poll_once(listener.accept()).is_ready());
}

#[test]
fn t6_the_handshake_goes_on_in_the_task_that_uses_the_connection() {
    let (server, client) = contexts();
    block_on(async {
        let options = ListenOptions::new().tls(&server);
        let listener = Listener::<Toy>::bind_with("127.0.0.1:0", options).await.unwrap();
        let address = listener.local_addr().unwrap();
        for with_handshake in [true, false] {
            let mut ours = Connection::new(toy::connect(&address).unwrap(), Config::default());
            let asking = async {
                ours.upgrade_tls(client.as_client("server.test")).await.unwrap();
                ours.send_line(b"question").await.unwrap();
                ours.recv_line().await.unwrap()
            };
            let answering = async {
                let mut theirs = listener.accept().await.unwrap();
                assert!(theirs.tls().expect("it is secure").version().is_none());
                if with_handshake {
                    theirs.handshake().await.unwrap();
                    assert!(theirs.tls().is_some_and(|it| it.version().is_some()));
                    theirs.handshake().await.unwrap();
                }
                assert_eq!(theirs.recv_line().await.unwrap(), "question");
                theirs.send_line(b"answer").await.unwrap();
                theirs
            };
            let (answer, _theirs) = zip(asking, answering).await;
            assert_eq!(answer, "answer");
        }
    });
}

#[test]
fn t6_a_handshake_that_failed_says_so_to_whoever_asks() {
    let (listener, address) = listen(ListenOptions::new());
    let mut peer = toy::connect(&address).unwrap();
    block_on(async {
        peer.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut conn = listener.accept().await.unwrap();
        for _ in 0..2 {
            let error = conn.handshake().await.unwrap_err();
            assert!(matches!(error, Error::Tls(_)), "{error:?}");
        }
        assert!(conn.next_line().await.is_err());
        drop(conn);
        let mut alert = Vec::new();
        peer.read_to_end(&mut alert).await.unwrap();
        assert_eq!(alert.first(), Some(&21), "{alert:?}");
    });
}
