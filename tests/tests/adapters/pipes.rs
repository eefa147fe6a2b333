// The standard streams of this process and of a child, on one runtime. `main.rs` includes this once for each.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio, exit};

use asyncnet::process::{PipeStream, child, from_fds, stdio};
use blocking::unblock;
use futures_lite::future::zip;
use asyncnet::{Cause, CloseLimits, Config, Connection, Error, Framing, Timeout};

type Conn = Connection<PipeStream<<Subject as Runtime>::Clock>>;

/// A close that would hang for an hour if the child did not see the end of its input.
fn config() -> Config {
    let hour = CloseLimits::default().drain(Duration::from_secs(3600), 1 << 20);
    Config::default().framing(Framing::Lf).close(hour)
}

fn start(command: &mut Command) -> (Child, Conn) {
    let (child, stream) = child::<Subject>(command).unwrap();
    (child, stream.into_connection(config()))
}

/// Waits for the end of a child.
async fn ended(mut child: Child) -> ExitStatus {
    unblock(move || child.wait()).await.unwrap()
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn p1_lines_go_to_a_child_and_back() {
    run(async {
        let (child, mut conn) = start(&mut Command::new("cat"));
        let long = "x".repeat(900_000);
        let writer = conn.writer();
        for line in ["one", "", &long] {
            // More than a pipe holds: its beginning comes back while its rest leaves.
            let (sent, line_back) = zip(writer.send_line(line), conn.expect_line()).await;
            assert_eq!((sent, line_back), (Ok(()), Ok(line.as_bytes())));
        }
        conn.close().await.unwrap();
        assert!(ended(child).await.success());
    });
}

#[test]
fn p2_to_close_ends_the_child_at_once() {
    run(async {
        let (child, mut conn) = start(&mut Command::new("cat"));
        conn.close().await.unwrap();
        assert!(ended(child).await.success());
    });
}

#[test]
fn p2_to_drop_the_connection_ends_the_child() {
    run(async {
        let (child, mut conn) = start(&mut Command::new("cat"));
        conn.send_line("1").await.unwrap();
        drop(conn);
        ended(child).await;
    });
}

#[test]
fn p2_to_end_our_side_ends_the_child_and_receiving_goes_on() {
    run(async {
        let (child, mut conn) = start(&mut Command::new("sort"));
        conn.feed("2\n1\n").unwrap();
        conn.shutdown_write().await.unwrap();
        assert_eq!(conn.send_line("3").await, Err(Error::Closed));
        assert_eq!(conn.next_line().await.unwrap(), Some(&b"1"[..]));
        assert_eq!(conn.next_line().await.unwrap(), Some(&b"2"[..]));
        assert_eq!(conn.next_line().await.unwrap(), None);
        assert!(ended(child).await.success());
    });
}

#[test]
fn p2_the_end_of_the_child_is_seen_at_once() {
    run(async {
        let (mut child, mut conn) = start(&mut Command::new("cat"));
        conn.send_line("1").await.unwrap();
        assert_eq!(conn.next_line().await.unwrap(), Some(&b"1"[..]));
        child.kill().unwrap();
        assert_eq!(conn.next_line().await.unwrap(), None);
        ended(child).await;
        assert!(matches!(conn.send_line("2").await, Err(Error::Disconnected(_))));

        let (child, mut conn) = start(&mut sh("printf 'half a li'"));
        let Err(Error::Disconnected(end)) = conn.next_line().await else { panic!("an end") };
        assert_eq!((end.cause, end.partial), (Cause::Eof, 9));
        ended(child).await;
    });
}

#[test]
fn d1_a_silent_child_is_a_timeout_and_nothing_is_lost() {
    run(async {
        let (child, mut conn) = start(&mut sh("printf half; read line; echo \" $line\""));
        conn.peek(4).await.unwrap();
        let silent = conn.within(Duration::from_millis(1)).next_line().await;
        assert_eq!(silent, Err(Error::TimedOut(Timeout::Receive { partial: 4 })));
        conn.send_line("and half").await.unwrap();
        assert_eq!(conn.next_line().await.unwrap(), Some(&b"half and half"[..]));
        assert_eq!(conn.next_line().await.unwrap(), None);
        ended(child).await;
    });
}

#[test]
fn c1_a_dropped_receive_loses_nothing() {
    run(async {
        let (child, mut conn) = start(&mut Command::new("cat"));
        let (mut sent, mut dropped) = (0, 0);
        for expected in 0..500 {
            // A receive that is dropped before the child can have answered, and one that waits.
            dropped += usize::from(within(Duration::ZERO, conn.next_line()).await.is_none());
            while sent <= expected {
                conn.send_line(format!("line {sent}")).await.unwrap();
                sent += 1;
            }
            let line = conn.next_line().await.unwrap();
            assert_eq!(line, Some(format!("line {expected}").as_bytes()));
        }
        assert_eq!(dropped, 500);
        conn.close().await.unwrap();
        ended(child).await;
    });
}

#[test]
fn p1_a_regular_file_is_read_and_written_by_a_thread() {
    run(async {
        let path = TempPath::new();
        std::fs::write(&path.0, "one\ntwo").unwrap();
        let null = OpenOptions::new().write(true).open("/dev/null").unwrap();
        let stream = from_fds::<Subject>(File::open(&path.0).unwrap().into(), null.into());
        let mut conn = stream.unwrap().into_connection(config());
        conn.send_line("to nobody").await.unwrap();
        assert_eq!(conn.next_line().await.unwrap(), Some(&b"one"[..]));
        assert!(matches!(conn.next_line().await, Err(Error::Disconnected(_))));
        assert_eq!(conn.partial(), b"two");

        let (empty, file) = (File::open("/dev/null").unwrap(), File::create(&path.0).unwrap());
        let stream = from_fds::<Subject>(empty.into(), file.into());
        let mut conn = stream.unwrap().into_connection(config());
        conn.send_line("three").await.unwrap();
        conn.close().await.unwrap();
        assert_eq!(std::fs::read(&path.0).unwrap(), b"three\n");
    });
}

#[test]
fn p1_a_child_that_does_not_read_costs_no_more_than_the_queue() {
    run(async {
        let (mut child, mut conn) = start(Command::new("sleep").arg("1000"));
        conn.configure(|config| config.send_timeout(Duration::from_millis(1)));
        assert!(conn.send_all(vec![0; 4 << 20]).await.is_err());
        assert!(conn.stats().queued <= conn.config().max_queue);
        child.kill().unwrap();
        ended(child).await;
    });
}

/// Tells a test that it is the child.
const CHILD: &str = "ASYNCNET_STDIO";

/// Not a test but the server, in the process that [`served`] starts.
#[test]
fn the_server_on_its_standard_streams() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    block_on(async {
        let mut conn = stdio::<Subject>().unwrap().into_connection(config());
        let again = stdio::<Subject>().map(drop).unwrap_err().kind();
        assert_eq!(again, io::ErrorKind::AlreadyExists);
        conn.send_line("ready").await.unwrap();
        println!("not a part of the protocol");
        Command::new("echo").arg("nor is what a child says").status().unwrap();
        while let Some(line) = conn.next_line().await.unwrap() {
            let line = if line == b"threads" { waiting_threads() } else { line.to_vec() };
            conn.send_line(line).await.unwrap();
        }
        conn.close().await.unwrap();
        // Our end is seen though the process stays.
        Subject::sleep(Duration::from_secs(1000)).await;
    });
    exit(1);
}

/// How many threads of this process read or write for the runtime. 0 where the system does not say.
fn waiting_threads() -> Vec<u8> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("blocking-")).count().to_string().into_bytes()
}

/// Starts this program as that server, between these streams.
fn served(stdin: impl Into<Stdio>, stdout: impl Into<Stdio>) -> Child {
    let test = std::thread::current().name().unwrap().to_owned();
    let module = test.rsplit_once("::").unwrap().0;
    let mut command = Command::new(std::env::current_exe().unwrap());
    // With one thread, the harness writes in front of the first line.
    command.args(["--test-threads", "2", "--nocapture", "--exact"]);
    command.arg(format!("{module}::the_server_on_its_standard_streams"));
    command.env(CHILD, "").stdin(stdin).stdout(stdout).stderr(Stdio::null()).spawn().unwrap()
}

/// Asks the server, and ends it. So many threads wait for its streams.
async fn ask(mut conn: Conn, mut server: Child, threads: &str) {
    // The test harness has something to say first.
    while conn.expect_line().await.unwrap() != b"ready" {}
    for n in 0..100 {
        let line = format!("{n}");
        conn.send_line(&line).await.unwrap();
        assert_eq!(conn.expect_line().await.unwrap(), line.as_bytes());
    }
    conn.send_line("threads").await.unwrap();
    assert_eq!(conn.expect_line().await.unwrap(), threads.as_bytes());
    conn.shutdown_write().await.unwrap();
    assert_eq!(conn.next_line().await.unwrap(), None);
    server.kill().unwrap();
    ended(server).await;
}

#[test]
fn p3_standard_streams_that_are_pipes_are_taken_over() {
    run(async {
        let mut server = served(Stdio::piped(), Stdio::piped());
        let (stdout, stdin) = (server.stdout.take().unwrap(), server.stdin.take().unwrap());
        let stream = from_fds::<Subject>(stdout.into(), stdin.into()).unwrap();
        ask(stream.into_connection(config()), server, "0").await;
    });
}

#[test]
fn p3_standard_streams_that_are_sockets_are_taken_over() {
    run(async {
        // One for each direction, as Node.js makes them.
        let (to_server, stdin) = UnixStream::pair().unwrap();
        let (from_server, stdout) = UnixStream::pair().unwrap();
        let server = served(OwnedFd::from(stdin), OwnedFd::from(stdout));
        let stream = from_fds::<Subject>(from_server.into(), to_server.into()).unwrap();
        ask(stream.into_connection(config()), server, "0").await;
    });
}

#[test]
fn p2_the_end_of_our_side_of_a_socket_for_both_directions_is_seen() {
    run(async {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let stream = from_fds::<Subject>(ours.try_clone().unwrap().into(), ours.into()).unwrap();
        let mut conn = stream.into_connection(config());
        conn.feed_line("the last").unwrap();
        conn.shutdown_write().await.unwrap();
        theirs.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut said = String::new();
        io::Read::read_to_string(&mut theirs, &mut said).unwrap();
        assert_eq!(said, "the last\n");
        drop(theirs);
        assert_eq!(conn.next_line().await.unwrap(), None);
    });
}
