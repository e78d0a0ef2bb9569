//! A proxy process, servers to put behind it, and clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mcpload::fault::link::LinkRule;
use mcpload::proxy::{Ask, RuleStatus, Start, Status, Tell};

/// Bound of every wait: far beyond what a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy. Dropping it kills it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    channel: Option<BufReader<UnixStream>>,
    child: Child,
}

/// How a proxy is started, but for its upstream.
pub(crate) fn plain(upstream: SocketAddr) -> Start {
    Start {
        listen: "127.0.0.1:0".parse().unwrap(),
        upstream,
        seed: 7,
        http: false,
        instance: None,
        follows: false,
    }
}

impl Proxy {
    pub(crate) fn of(upstream: SocketAddr) -> Self {
        Self::start(plain(upstream))
    }

    pub(crate) fn start(start: Start) -> Self {
        let (mut proxy, tell) = Self::try_start(start);
        let Tell::Listening { address } = tell else {
            panic!("{tell:?}");
        };
        proxy.address = address;
        proxy
    }

    pub(crate) fn try_start(start: Start) -> (Self, Tell) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mcpload"))
            .arg("wire")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        let mut proxy = Self {
            address: start.listen,
            channel: Some(BufReader::new(ours)),
            child,
        };
        proxy.ask(&Ask::Start(start));
        let tell = proxy.hear();
        (proxy, tell)
    }

    pub(crate) fn ask(&mut self, ask: &Ask) {
        let mut line = serde_json::to_vec(ask).unwrap();
        line.push(b'\n');
        self.say(&line);
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let channel = self.channel.as_mut().unwrap();
        channel.get_mut().write_all(bytes).unwrap();
    }

    pub(crate) fn hear(&mut self) -> Tell {
        let mut line = String::new();
        self.channel.as_mut().unwrap().read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Applies a rule; how many live connections it selects.
    pub(crate) fn apply(&mut self, id: &str, rule: LinkRule) -> u64 {
        let id = id.to_owned();
        self.ask(&Ask::Apply { id, rule });
        match self.hear() {
            Tell::Applied { connections, .. } => connections,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn lift(&mut self, id: &str) {
        self.ask(&Ask::Lift { id: id.to_owned() });
        let tell = self.hear();
        assert!(matches!(tell, Tell::Lifted { .. }), "{tell:?}");
    }

    pub(crate) fn status(&mut self) -> Status {
        self.ask(&Ask::Status);
        match self.hear() {
            Tell::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn rule(&mut self, id: &str) -> RuleStatus {
        let mut rules = self.status().rules.into_iter();
        rules.find(|rule| rule.id == id).unwrap()
    }

    /// Waits until the proxy has this many live connections.
    pub(crate) fn until_connections(&mut self, count: u64) {
        let begun = Instant::now();
        while self.status().connections != count {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.status());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Closes the channel, as the death of its owner does.
    pub(crate) fn let_go(&mut self) {
        self.channel = None;
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// How long the process still lives.
    pub(crate) fn ends(&mut self) -> Duration {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "the proxy does not end");
            thread::sleep(Duration::from_millis(2));
        }
        begun.elapsed()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        bounded(TcpStream::connect(self.address).unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn bounded(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A server that does this with each connection, in a thread of its own.
pub(crate) fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (bounded(stream.unwrap()), serve.clone());
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A server that says what it hears, and ends when it has heard all.
pub(crate) fn echo() -> SocketAddr {
    server(|mut stream| {
        let mut space = vec![0; 64 << 10];
        while let Ok(read @ 1..) = stream.read(&mut space) {
            if stream.write_all(&space[..read]).is_err() {
                return;
            }
        }
        let _ = stream.shutdown(Shutdown::Write);
    })
}

/// Sends, and reads as much back; how long that took.
pub(crate) fn round_trip(stream: &mut TcpStream, text: &[u8]) -> Duration {
    let begun = Instant::now();
    stream.write_all(text).unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, text);
    begun.elapsed()
}

/// Whether nothing can be read for so long.
pub(crate) fn is_silent(stream: &mut TcpStream, time: Duration) -> bool {
    stream.set_read_timeout(Some(time)).unwrap();
    let read = stream.read(&mut [0; 64]);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Reads to the end; the bytes, and the error that ended them if one did.
pub(crate) fn rest(stream: &mut TcpStream) -> (Vec<u8>, Option<std::io::ErrorKind>) {
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).err();
    (bytes, error.map(|error| error.kind()))
}
