//! The program as a child process, and a client that can misbehave.

use std::fs;
#[cfg(unix)]
use std::io::ErrorKind;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[cfg(unix)]
pub(crate) use rustix::process::Signal;
#[cfg(unix)]
use rustix::process::{Pid, kill_process};

pub(crate) const CHAT: &str = env!("CARGO_BIN_EXE_asyncnet-chat");

/// A program that runs longer is killed.
const LIMIT: Duration = Duration::from_secs(100);

/// A running chat program.
pub(crate) struct Program {
    child: Arc<Mutex<Child>>,
    pid: u32,
    /// Taken when standard input ends.
    pub(crate) stdin: Option<ChildStdin>,
    /// Taken when nobody reads it any more.
    pub(crate) stdout: Option<BufReader<ChildStdout>>,
    /// The lines of standard error.
    pub(crate) log: Receiver<String>,
    /// The watchdog goes when this does.
    _watched: Sender<()>,
}

impl Program {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_with(command, Stdio::piped())
    }

    pub(crate) fn spawn_with(command: &mut Command, stdout: Stdio) -> Self {
        Self::spawn_from(command, Stdio::piped(), stdout)
    }

    pub(crate) fn spawn_from(command: &mut Command, stdin: Stdio, stdout: Stdio) -> Self {
        command.stdin(stdin).stdout(stdout);
        let mut child = command.spawn().expect("the program starts");
        let (pid, stdin) = (child.id(), child.stdin.take());
        let stdout = child.stdout.take().map(BufReader::new);

        let (logged, log) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    eprintln!("{line}");
                    // The test may be over.
                    let _ = logged.send(line);
                }
            });
        }

        let child = Arc::new(Mutex::new(child));
        let (watched, over) = mpsc::channel::<()>();
        let watched_child = Arc::clone(&child);
        thread::spawn(move || {
            if over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                eprintln!("not done after {LIMIT:?}: killed");
                let _ = watched_child.lock().unwrap().kill();
            }
        });
        Self { child, pid, stdin, stdout, log, _watched: watched }
    }

    /// The next line of standard output, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.stdout.as_mut().expect("somebody reads it");
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line.pop(), Some('\n'), "the output ended");
        line
    }

    /// Waits for the end; what was left on standard output, and the status.
    pub(crate) fn end(&mut self) -> (String, ExitStatus) {
        let mut rest = String::new();
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut rest).unwrap();
        }
        (rest, self.child.lock().unwrap().wait().unwrap())
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child.lock().unwrap()), signal).unwrap();
    }

    /// Waits until the log tells `what` about `client`; the line.
    pub(crate) fn wait_for(&self, client: &str, what: &str) -> String {
        self.wait_for_any(client, &[what])
    }

    /// Waits until the log tells one of `what` about `client`; the line.
    pub(crate) fn wait_for_any(&self, client: &str, what: &[&str]) -> String {
        self.log
            .iter()
            .find(|line| what.iter().any(|what| tells(line, client, what)))
            .unwrap_or_else(|| panic!("never logged {what:?} about {client}"))
    }

    /// Whether the log has told `what` about `client` since it was last looked at.
    pub(crate) fn has_told(&self, client: &str, what: &str) -> bool {
        self.log.try_iter().any(|line| tells(&line, client, what))
    }

    /// The bytes of memory that the program holds, where the system has `/proc`.
    pub(crate) fn resident(&self) -> Option<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes = kilobytes.trim().strip_suffix(" kB")?;
        Some(kilobytes.parse::<usize>().unwrap() << 10)
    }

    /// How many descriptors the program has open, where the system has `/proc`.
    pub(crate) fn descriptors(&self) -> Option<usize> {
        Some(fs::read_dir(format!("/proc/{}/fd", self.pid)).ok()?.count())
    }
}

fn tells(line: &str, client: &str, what: &str) -> bool {
    line.contains(what) && line.ends_with(&format!("address={client}"))
}

impl Drop for Program {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A server that listens.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
    /// The clients that are known to be in the room, or to come.
    #[cfg(unix)]
    known: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) fn start(runtime: &str, options: &[&str]) -> Self {
        Self::run(Command::new(CHAT).stderr(Stdio::piped()), runtime, options)
    }

    /// A server at an address that was one's before.
    #[cfg(unix)]
    pub(crate) fn start_at(runtime: &str, at: &str) -> Self {
        Self::run_at(Command::new(CHAT).stderr(Stdio::piped()), runtime, at, &[])
    }

    /// Runs `command`, which is the chat program in whatever surroundings.
    pub(crate) fn run(command: &mut Command, runtime: &str, options: &[&str]) -> Self {
        Self::run_at(command, runtime, "127.0.0.1:0", options)
    }

    fn run_at(command: &mut Command, runtime: &str, at: &str, options: &[&str]) -> Self {
        command.args(["serve", "--listen", at, "--runtime", runtime]);
        let mut program = Program::spawn(command.args(options));
        let line = program.line();
        let address = line.strip_prefix("listening on ").expect(&line);
        let address = address.parse().unwrap();
        Self {
            program,
            address,
            #[cfg(unix)]
            known: Mutex::default(),
        }
    }

    /// A client that is in the room.
    pub(crate) fn client(&self) -> Client {
        let mut client = self.connect();
        client.greet();
        client.wait_for_greeting();
        client
    }

    /// A client that has said nothing yet, and may not be in the room yet.
    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        let name = stream.local_addr().unwrap().to_string();
        #[cfg(unix)]
        self.known.lock().unwrap().push(name.clone());
        let stream = BufReader::new(stream);
        Client { stream, name }
    }

    /// Waits until another program has joined the room: it is connected before that.
    #[cfg(unix)]
    pub(crate) fn wait_for_guest(&self) {
        let mut known = self.known.lock().unwrap();
        let name = |line: String| Some(line.split_once("joined address=")?.1.to_owned());
        let is_new = |name: &String| !known.contains(name);
        let guest = self.program.log.iter().filter_map(name).find(is_new);
        known.push(guest.expect("nobody has joined"));
    }
}

const GREETING: &str = "hello from ";

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    /// As the log of the server has it.
    pub(crate) name: String,
}

impl Client {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Says `text` and an LF.
    pub(crate) fn say(&mut self, text: &[u8]) {
        self.write(&[text, b"\n"].concat());
    }

    pub(crate) fn greet(&mut self) {
        self.say(format!("{GREETING}{}", self.name).as_bytes());
    }

    /// Passes over what is said until its own greeting is back: then it is in the room.
    pub(crate) fn wait_for_greeting(&mut self) {
        let greeting = format!("{GREETING}{}\r\n", self.name);
        loop {
            let line = self.raw_line();
            assert_ne!(line, b"", "the connection ended");
            if line == greeting.as_bytes() {
                return;
            }
        }
    }

    /// The next line with its end; empty at the end.
    fn raw_line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        assert!(line.is_empty() || line.ends_with(b"\r\n"), "{}", line.escape_ascii());
        line
    }

    /// The next line that is no greeting, without its CR LF. `None`: the server ended the connection.
    pub(crate) fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            let mut line = self.raw_line();
            if !line.starts_with(GREETING.as_bytes()) {
                let text = line.len().checked_sub(2)?;
                line.truncate(text);
                return Some(line);
            }
        }
    }

    /// The next line that is no greeting has to be `text`.
    pub(crate) fn expect(&mut self, text: &[u8]) {
        let line = self.line().expect("the connection ended");
        assert!(line == text, "{} is not {}", line.escape_ascii(), text.escape_ascii());
    }

    /// Nothing but greetings may come, and then the end.
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.line(), None);
    }

    /// Waits for an end or a reset, after whatever is still on its way.
    pub(crate) fn wait_for_any_end(&mut self) {
        let _ = self.stream.read_to_end(&mut Vec::new());
    }

    /// Whatever is still on its way may come, and then a reset.
    #[cfg(unix)]
    pub(crate) fn expect_reset(&mut self) {
        let error = self.stream.read_to_end(&mut Vec::new()).expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }

    pub(crate) fn end_sending(&mut self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// Says `last` and resets the connection: a socket that is closed with unread input does.
    pub(crate) fn reset(mut self, last: &[u8]) {
        self.greet();
        self.stream.get_ref().peek(&mut [0]).unwrap();
        self.write(last);
    }
}
