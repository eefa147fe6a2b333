//! A17: a listener that shuts down, over the toy runtime; and what it knows of its connections.

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use asyncnet::net::{Drain, Finished, ListenOptions, Pipe};
use asyncnet::{Address, Config, Connection, Error, Listener};
use futures_lite::future::block_on;
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::poll_once;
use crate::toy::{self, Toy};

const LIMIT: Duration = Duration::from_secs(10);

type Conn = Connection<toy::Stream>;

fn listen(options: ListenOptions) -> (Listener<Toy>, Address) {
    let listener = block_on(Listener::<Toy>::bind_with("127.0.0.1:0", options)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn accept(listener: &Listener<Toy>, address: &Address) -> (Conn, Pipe) {
    let peer = toy::connect(address).unwrap();
    (block_on(listener.accept()).unwrap(), peer)
}

fn say(peer: &mut Pipe, bytes: &[u8]) {
    block_on(peer.write_all(bytes)).unwrap();
}

/// What a peer that reads sees: nothing yet, the end, or a reset.
fn told(peer: &mut Pipe) -> Poll<Result<usize, ErrorKind>> {
    poll_once(peer.read(&mut [0; 64])).map_err(|error| error.kind())
}

/// What the peer sees behind all that was sent to it.
fn end_of(peer: &mut Pipe) -> Poll<Result<usize, ErrorKind>> {
    loop {
        match told(peer) {
            Poll::Ready(Ok(n)) if n > 0 => {}
            end => break end,
        }
    }
}

/// A waker that says whether it was woken.
#[derive(Default)]
struct Flag(std::sync::atomic::AtomicBool);

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Flag {
    fn take(&self) -> bool {
        self.0.swap(false, std::sync::atomic::Ordering::SeqCst)
    }
}

fn finished(closed: usize, aborted: usize, left: usize) -> (usize, usize, usize) {
    (closed, aborted, left)
}

fn parts(it: Finished) -> (usize, usize, usize) {
    (it.closed, it.aborted, it.left)
}

#[test]
fn a17_connections_are_told_that_their_listener_shuts_down() {
    let (listener, address) = listen(ListenOptions::new());
    let (conn, mut peer) = accept(&listener, &address);
    let (drain, same) = (conn.socket().drain(), listener.drain());
    let flag = std::sync::Arc::new(Flag::default());
    let waker = Waker::from(std::sync::Arc::clone(&flag));
    let mut draining = pin!(drain.draining());
    assert!(draining.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(!drain.is_draining() && !flag.take());
    let mut finish = pin!(listener.finish(LIMIT));
    assert!(poll_once(finish.as_mut()).is_pending());
    assert!(flag.take(), "it is woken");
    assert!(draining.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    assert!(drain.is_draining() && same.is_draining());
    assert!(poll_once(same.draining()).is_ready());
    // It goes on until it is closed.
    say(&mut peer, b"line\n");
    let mut conn = conn;
    assert_eq!(block_on(conn.next_line()), Ok(Some(&b"line"[..])));
    drop(conn);
    assert!(!drain.clone().is_draining() || poll_once(drain.draining()).is_ready());
    let Poll::Ready(it) = poll_once(finish) else { panic!("all are closed") };
    assert_eq!(parts(it), finished(1, 0, 0));
    let (alone, _peer) = asyncnet::net::pipe(1);
    let alone = Connection::new(alone, Config::default());
    assert!(poll_once(alone.socket().drain().draining()).is_pending());
}

#[test]
fn a17_idle_connections_are_closed_at_once_and_others_when_they_are_idle() {
    for with_writer in [false, true] {
        let (listener, address) = listen(ListenOptions::new().close_idle(true));
        let (mut idle, mut idle_peer) = accept(&listener, &address);
        let (mut busy, mut busy_peer) = accept(&listener, &address);
        let _writers = with_writer.then(|| (idle.writer(), busy.writer()));
        say(&mut busy_peer, b"ab");
        let flags = [(); 2].map(|()| std::sync::Arc::new(Flag::default()));
        let wakers = flags.each_ref().map(|flag| Waker::from(std::sync::Arc::clone(flag)));
        let mut finish = pin!(listener.finish(LIMIT));
        {
            let mut waits = pin!(idle.next_line());
            let mut works = pin!(busy.next_line());
            assert!(waits.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
            assert!(works.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
            let _ = (flags[0].take(), flags[1].take());
            assert!(poll_once(finish.as_mut()).is_pending());
            assert!(flags[0].take(), "an idle connection is woken");
            let ended = waits.as_mut().poll(&mut Context::from_waker(&wakers[0]));
            assert_eq!(ended, Poll::Ready(Err(Error::Closed)));
            assert_eq!(told(&mut idle_peer), Poll::Ready(Ok(0)), "the peer sees the end at once");
            assert!(works.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
            assert_eq!(told(&mut busy_peer), Poll::Pending);
            say(&mut busy_peer, b"c\n");
            let line = works.as_mut().poll(&mut Context::from_waker(&wakers[1]));
            assert_eq!(line, Poll::Ready(Ok(Some(&b"abc"[..]))));
        }
        busy.feed_line("answer").unwrap();
        assert_eq!(poll_once(busy.next_line()), Poll::Ready(Err(Error::Closed)));
        assert_eq!(told(&mut busy_peer), Poll::Ready(Ok(8)), "the answer goes out");
        drop((idle, busy, _writers));
        let Poll::Ready(it) = poll_once(finish) else { panic!("all are closed") };
        assert_eq!(parts(it), finished(2, 0, 0));
    }
}

#[test]
fn a17_what_is_left_at_the_limit_is_aborted() {
    for with_writer in [false, true] {
        let (listener, address) = listen(ListenOptions::new().track(true));
        let (mut waits, mut waiting_peer) = accept(&listener, &address);
        let (mut away, mut away_peer) = accept(&listener, &address);
        let (gone, _) = accept(&listener, &address);
        let writer = with_writer.then(|| waits.writer());
        let flag = std::sync::Arc::new(Flag::default());
        let waker = Waker::from(std::sync::Arc::clone(&flag));
        let mut cx = Context::from_waker(&waker);
        let mut finish = pin!(listener.finish(LIMIT));
        {
            let mut line = pin!(waits.next_line());
            assert!(line.as_mut().poll(&mut cx).is_pending());
            assert!(poll_once(finish.as_mut()).is_pending());
            drop(gone);
            assert!(!flag.take(), "it is not idle that counts");
            toy::advance(LIMIT);
            assert!(poll_once(finish.as_mut()).is_pending(), "they have a moment for it");
            assert!(flag.take());
            assert_eq!(line.as_mut().poll(&mut cx), Poll::Ready(Err(Error::Closed)));
        }
        let reset = Poll::Ready(Err(ErrorKind::ConnectionReset));
        assert_eq!(told(&mut waiting_peer), reset);
        assert!(writer.is_none_or(|writer| writer.check() == Err(Error::Closed)));
        assert_eq!(told(&mut away_peer), Poll::Pending);
        toy::advance(Duration::from_secs(1));
        let Poll::Ready(it) = poll_once(finish) else { panic!("the limit is over") };
        assert_eq!(parts(it), finished(1, 1, 1));
        // It hears of it when it is used.
        assert_eq!(poll_once(away.next_line()), Poll::Ready(Err(Error::Closed)));
        assert_eq!(told(&mut away_peer), reset);
    }
}

#[test]
fn a17_a_close_that_takes_too_long_is_aborted_too() {
    let (listener, address) = listen(ListenOptions::new().track(true));
    let (mut conn, mut peer) = accept(&listener, &address);
    conn.configure(|config| config.max_queue(1 << 20));
    conn.feed(vec![b'x'; 1 << 19]).unwrap();
    let mut closing = pin!(conn.close());
    assert!(poll_once(closing.as_mut()).is_pending());
    let mut finish = pin!(listener.finish(Duration::from_secs(1)));
    assert!(poll_once(finish.as_mut()).is_pending());
    toy::advance(Duration::from_secs(1));
    assert!(poll_once(finish.as_mut()).is_pending());
    assert!(matches!(poll_once(closing.as_mut()), Poll::Ready(Err(_))));
    let Poll::Ready(it) = poll_once(finish) else { panic!("all are closed") };
    assert_eq!(parts(it), finished(0, 1, 0));
    assert_eq!(end_of(&mut peer), Poll::Ready(Err(ErrorKind::ConnectionReset)));
}

#[test]
fn a17_untracked_connections_are_left_open() {
    let (listener, address) = listen(ListenOptions::new());
    assert_eq!(listener.connections(), []);
    let (mut conn, mut peer) = accept(&listener, &address);
    assert_eq!(listener.connections(), []);
    let mut finish = pin!(listener.finish(LIMIT));
    assert!(poll_once(finish.as_mut()).is_pending());
    toy::advance(LIMIT);
    let Poll::Ready(it) = poll_once(finish) else { panic!("the limit is over") };
    assert_eq!(parts(it), finished(0, 0, 1));
    say(&mut peer, b"line\n");
    assert_eq!(block_on(conn.next_line()), Ok(Some(&b"line"[..])));
}

#[test]
fn a17_the_open_connections_are_listed_with_their_ages_and_bytes() {
    let (listener, address) = listen(ListenOptions::new().track(true));
    let (mut first, mut peer) = accept(&listener, &address);
    toy::advance(Duration::from_secs(5));
    let (second, _second_peer) = accept(&listener, &address);
    toy::advance(Duration::from_secs(2));
    say(&mut peer, b"line\nab");
    block_on(async {
        first.next_line().await.unwrap();
        first.send_all(b"12345").await.unwrap();
    });
    assert!(poll_once(first.next_line()).is_pending());
    let listed = listener.connections();
    let facts: Vec<_> =
        listed.iter().map(|it| (it.age.as_secs(), it.bytes_received, it.bytes_sent)).collect();
    assert_eq!(facts, [(7, 7, 5), (2, 0, 0)]);
    assert!(listed[0].peer.ip().is_some());
    drop(first);
    assert_eq!(listener.connections().len(), 1);
    drop(second);
    assert_eq!(listener.connections(), []);
}

#[test]
fn a17_a_send_that_is_aborted_resets_its_peer_at_once() {
    let (listener, address) = listen(ListenOptions::new().track(true));
    let (mut conn, mut peer) = accept(&listener, &address);
    let mut finish = pin!(listener.finish(Duration::from_secs(1)));
    {
        let message = vec![b'x'; 1 << 19];
        let mut sending = pin!(conn.send_all(&message));
        assert!(poll_once(sending.as_mut()).is_pending());
        assert!(poll_once(finish.as_mut()).is_pending());
        toy::advance(Duration::from_secs(1));
        assert!(poll_once(finish.as_mut()).is_pending());
        assert_eq!(poll_once(sending.as_mut()), Poll::Ready(Err(Error::Closed)));
    }
    // Whatever its task does next.
    let Poll::Ready(it) = poll_once(finish) else { panic!("it is closed") };
    assert_eq!(parts(it), finished(0, 1, 0));
    assert_eq!(end_of(&mut peer), Poll::Ready(Err(ErrorKind::ConnectionReset)));
}

#[test]
fn a17_a_connection_with_lines_left_is_aborted_all_the_same() {
    let (listener, address) = listen(ListenOptions::new().track(true));
    let (mut conn, mut peer) = accept(&listener, &address);
    conn.configure(|config| config.high_water(1));
    say(&mut peer, b"a\nb\n");
    let mut finish = pin!(listener.finish(Duration::from_secs(1)));
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"a"[..]))));
    conn.feed(vec![b'x'; 1 << 19]).unwrap();
    assert!(poll_once(conn.next_line()).is_pending(), "the answer is unsent");
    assert!(poll_once(finish.as_mut()).is_pending());
    toy::advance(Duration::from_secs(1));
    assert!(poll_once(finish.as_mut()).is_pending());
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"b"[..]))));
    let Poll::Ready(it) = poll_once(finish) else { panic!("it is closed") };
    assert_eq!(parts(it), finished(0, 1, 0));
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Err(Error::Closed)));
}

/// What has come and is held back is a message that is half done.
#[test]
fn a17_a_connection_that_a_rate_holds_up_is_not_idle() {
    for with_writer in [false, true] {
        let config = Config::default().max_lines_per_second(1);
        let (listener, address) = listen(ListenOptions::new().config(config).close_idle(true));
        let (mut conn, mut peer) = accept(&listener, &address);
        let _writer = with_writer.then(|| conn.writer());
        say(&mut peer, b"a\nb\n");
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"a"[..]))));
        assert!(poll_once(conn.next_line()).is_pending());
        let mut finish = pin!(listener.finish(LIMIT));
        assert!(poll_once(finish.as_mut()).is_pending());
        assert!(poll_once(conn.next_line()).is_pending(), "the rate holds");
        toy::advance(Duration::from_secs(1));
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"b"[..]))));
        assert_eq!(conn.feed_line("answer"), Ok(()));
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Err(Error::Closed)));
        assert_eq!(told(&mut peer), Poll::Ready(Ok(8)), "the answer goes out");
    }
}

/// It has given its thread back, and has not looked whether anything has come.
#[test]
fn a17_a_connection_that_is_never_idle_is_not_closed_in_front_of_a_line() {
    for with_writer in [false, true] {
        let (listener, address) = listen(ListenOptions::new().close_idle(true));
        let (mut conn, mut peer) = accept(&listener, &address);
        let _writer = with_writer.then(|| conn.writer());
        let mut finish = pin!(listener.finish(LIMIT));
        assert!(poll_once(finish.as_mut()).is_pending());
        for _ in 0..100 {
            say(&mut peer, b"line\n");
            assert_eq!(block_on(conn.next_line()), Ok(Some(&b"line"[..])));
        }
        assert_eq!(poll_once(conn.next_line()), Poll::Ready(Err(Error::Closed)));
    }
}

/// Of which nothing is here any more: it was consumed.
#[test]
fn a17_a_connection_in_the_middle_of_a_message_is_not_idle() {
    let (listener, address) = listen(ListenOptions::new().close_idle(true));
    let (mut parses, mut parsed_peer) = accept(&listener, &address);
    let (mut skips, mut skipped_peer) = accept(&listener, &address);
    let mut finish = pin!(listener.finish(LIMIT));
    assert!(poll_once(finish.as_mut()).is_pending());
    say(&mut parsed_peer, b"head\n");
    say(&mut skipped_peer, b"abc");
    {
        let mut heads = 0;
        let mut parse = pin!(parses.next_with(|unread| {
            while heads < 2 {
                unread.line()?;
                unread.checkpoint();
                heads += 1;
            }
            Ok(heads)
        }));
        let mut skip = pin!(skips.skip(6));
        assert!(poll_once(parse.as_mut()).is_pending());
        assert!(poll_once(skip.as_mut()).is_pending());
        say(&mut parsed_peer, b"tail\n");
        say(&mut skipped_peer, b"def");
        assert_eq!(poll_once(parse), Poll::Ready(Ok(Some(2))));
        assert_eq!(poll_once(skip), Poll::Ready(Ok(())));
    }
    assert_eq!(poll_once(parses.next_line()), Poll::Ready(Err(Error::Closed)));
    assert_eq!(poll_once(skips.next_line()), Poll::Ready(Err(Error::Closed)));
}

/// A waker that runs its task where it is woken, or drops it.
struct Inline(Mutex<Option<Waits>>, Option<Drain>);

type Waits = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Wake for Inline {
    fn wake(self: std::sync::Arc<Self>) {
        drop(self.0.lock().unwrap().take());
        if let Some(drain) = &self.1 {
            assert!(poll_once(drain.draining()).is_ready());
        }
    }
}

#[test]
fn a17_tasks_that_wait_for_the_end_are_woken_without_a_lock() {
    let (done, is_done) = channel();
    thread::spawn(move || {
        let (listener, _) = listen(ListenOptions::new());
        for _ in 0..3 {
            let drain = listener.drain();
            let waits: Waits = Box::pin({
                let drain = drain.clone();
                async move { drain.draining().await }
            });
            let inline = std::sync::Arc::new(Inline(Mutex::new(Some(waits)), Some(drain)));
            let waker = Waker::from(std::sync::Arc::clone(&inline));
            let mut waits = inline.0.lock().unwrap().take().unwrap();
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            *inline.0.lock().unwrap() = Some(waits);
        }
        assert!(poll_once(listener.finish(LIMIT)).is_ready());
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(10)).expect("no deadlock");
}

#[cfg(feature = "tls")]
mod handshakes {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use asyncnet::tls::TlsErrorKind;

    use super::*;
    use crate::secure_listener::contexts;

    #[test]
    fn t15_failed_handshakes_are_counted_by_cause_and_told_with_the_peer() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        let config = Config::default().handshake_timeout(LIMIT);
        let options = ListenOptions::new().config(config).tls(&contexts().0).max_silent(2);
        let options = options
            .on_handshake_failure(move |failure| telling.lock().unwrap().push(failure.clone()));
        let (listener, address) = listen(options);
        for with_writer in [false, true] {
            let mut kinds = Vec::new();
            for said in [&b"GET / HTTP/1.1\r\n"[..], b"\x15\x03\x01\0\x02\x02\x30", b"\x16"] {
                for leaves in [true, false] {
                    let mut peer = toy::connect(&address).unwrap();
                    say(&mut peer, said);
                    let mut conn = block_on(listener.accept()).unwrap();
                    let writer = with_writer.then(|| conn.writer());
                    let peer = (!leaves).then_some(peer);
                    if poll_once(conn.handshake()).is_pending() {
                        toy::advance(LIMIT);
                    }
                    let Err(Error::Tls(error)) = block_on(conn.handshake()) else { panic!() };
                    kinds.push(error.kind());
                    drop((conn, writer, peer));
                }
            }
            use TlsErrorKind::{Alert, LeftInHandshake, Protocol, TimedOut};
            let expected = [Protocol, Protocol, Alert(48), Alert(48), LeftInHandshake, TimedOut];
            assert_eq!(kinds, expected);
            let told = std::mem::take(&mut *told.lock().unwrap());
            assert_eq!(told.iter().map(|it| it.error.kind()).collect::<Vec<_>>(), expected);
            assert!(told.iter().all(|it| it.peer.ip().is_some()));
        }
        let it = listener.failures();
        assert_eq!((it.protocol, it.alert, it.left, it.timed_out), (4, 4, 2, 2));
        assert_eq!((it.certificate, it.incompatible, it.local, it.silent), (0, 0, 0, 0));
        // One makes way, one leaves, one takes too long.
        let mut silent: Vec<_> = (0..3).map(|_| toy::connect(&address).unwrap()).collect();
        assert!(poll_once(listener.accept()).is_pending());
        silent.pop();
        toy::advance(LIMIT);
        assert!(poll_once(listener.accept()).is_pending());
        assert_eq!(listener.failures().silent, 3);
    }
    #[test]
    fn t15_a_callback_that_panics_costs_no_place() {
        let options = ListenOptions::new().tls(&contexts().0).max_open(1).track(true);
        let (listener, address) = listen(options.on_handshake_failure(|_| panic!("as told")));
        let fails = || {
            let mut peer = toy::connect(&address).unwrap();
            say(&mut peer, b"GET / HTTP/1.1\r\n");
            let mut conn = block_on(listener.accept()).unwrap();
            assert!(block_on(conn.handshake()).is_err());
        };
        assert!(catch_unwind(AssertUnwindSafe(fails)).is_err());
        assert_eq!(listener.open_connections(), 0);
        let mut peer = toy::connect(&address).unwrap();
        say(&mut peer, b"\x16");
        assert!(poll_once(listener.accept()).is_ready());
        assert_eq!(listener.connections().len(), 0);
    }
}
