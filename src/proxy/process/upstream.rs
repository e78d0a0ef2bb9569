//! What is behind the link: whether anything listens at the upstream's address.
//!
//! Impure: asks the kernel's table of sockets, and opens no connection, which the upstream would see. Nothing is looked at as
//! long as nothing hints at a change; what was found shut is looked at until it is open. Next: `desk`, which shuts the door by it.

use std::fs::File;
use std::future::pending;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The pause between looks while something is expected to change.
const SOON: Duration = Duration::from_millis(5);
/// How long that is so after a hint.
const EXPECTED_FOR: Duration = Duration::from_secs(1);
/// The pause between looks as long as nothing listens.
const LATER: Duration = Duration::from_millis(25);
/// How long a port is looked at after a hint that goes on listening: a process that dies closes one file after the other.
const DOUBTED_FOR: Duration = Duration::from_millis(20);
/// The state of a socket that listens, in the kernel's table.
const LISTENS: &str = "0A";

/// See the head of the file.
#[derive(Debug)]
pub(super) struct Upstream {
    address: SocketAddr,
    /// Whether it is looked at; else it counts as there.
    is_followed: bool,
    listens: bool,
    looked: Instant,
    hinted: Instant,
}

impl Upstream {
    /// Looks for the first time.
    pub(super) fn new(address: SocketAddr, is_followed: bool) -> Self {
        let now = Instant::now();
        let mut upstream = Self {
            address,
            is_followed,
            listens: true,
            looked: now,
            hinted: now,
        };
        upstream.look();
        upstream
    }

    /// Whether something listened when it was looked at last.
    pub(super) fn listens(&self) -> bool {
        self.listens
    }

    /// Looks now.
    pub(super) fn look(&mut self) {
        if self.is_followed {
            // A table that cannot be read says nothing: then connections are accepted, and dialled in vain.
            self.listens = is_listening(self.address).unwrap_or(true);
            self.looked = Instant::now();
        }
    }

    /// Something may have changed: looks soon, and for a while.
    pub(super) fn hint(&mut self) {
        self.hinted = Instant::now();
    }

    /// The link could not be opened for it: finds it anew.
    pub(super) fn try_again(&mut self) {
        if self.is_followed {
            self.listens = false;
            self.looked = Instant::now();
            self.hint();
        }
    }

    /// When to look again; `None` before the next hint.
    fn due(&self) -> Option<Instant> {
        let since = self.looked.saturating_duration_since(self.hinted);
        let pause = match self.listens {
            _ if !self.is_followed => return None,
            true if self.looked >= self.hinted && since >= DOUBTED_FOR => return None,
            false if since >= EXPECTED_FOR => LATER,
            _ => SOON,
        };
        Some(self.looked + pause)
    }

    /// Waits until it is time to look, and looks.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn watch(&mut self) {
        match self.due() {
            None => pending().await,
            Some(at) => sleep_until(at).await,
        }
        self.look();
    }
}

/// Whether a socket listens at this address, or at its port on every address.
fn is_listening(address: SocketAddr) -> io::Result<bool> {
    let port = format!("{:04X}", address.port());
    let finds = |table: &str, at: &[String]| -> io::Result<bool> {
        // Those that listen stand first, so however many connections there are, one page is read.
        let lines = BufReader::with_capacity(4096, File::open(table)?).lines();
        for line in lines.skip(1) {
            let line = line?;
            let mut fields = line.split_ascii_whitespace().skip(1);
            let local = fields.next().and_then(|local| local.split_once(':'));
            let state = fields.nth(1);
            if state != Some(LISTENS) {
                return Ok(false);
            }
            if local.is_some_and(|(ip, of)| of == port && at.iter().any(|at| at == ip)) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let all = kernels(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    match address.ip() {
        IpAddr::V4(ip) => {
            let own = kernels(IpAddr::V4(ip));
            let any = kernels(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            let mapped = kernels(IpAddr::V6(ip.to_ipv6_mapped()));
            Ok(finds("/proc/net/tcp", &[own, any])?
                // A machine without IPv6 has no such table.
                || finds("/proc/net/tcp6", &[mapped, all]).unwrap_or(false))
        }
        ip @ IpAddr::V6(_) => finds("/proc/net/tcp6", &[kernels(ip), all]),
    }
}

/// An address as the table writes it: words of four bytes, each as a number of this machine.
fn kernels(ip: IpAddr) -> String {
    let bytes = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = bytes.chunks(4).map(|word| {
        let word = word.try_into().unwrap_or_default();
        format!("{:08X}", u32::from_ne_bytes(word))
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn listener(address: &str) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[test]
    fn what_listens_is_found_and_what_does_not_is_not() {
        for ip in ["127.88.1.2:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(ip) else {
                // A machine without IPv6 cannot be asked for it.
                assert!(ip.starts_with('['), "{ip}");
                continue;
            };
            let address = listener.local_addr().unwrap();
            assert!(is_listening(address).unwrap(), "{address}");
            drop(listener);
            // A process that another test has just forked may hold it for a moment.
            let mut looks = 0..100_000;
            assert!(looks.any(|_| !is_listening(address).unwrap()), "{address}");
        }
    }

    #[test]
    fn what_listens_everywhere_listens_at_each_address() {
        for everywhere in ["0.0.0.0:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(everywhere) else {
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let one = SocketAddr::from(([127, 88, 1, 3], port));
            assert!(is_listening(one).unwrap(), "{everywhere}");
        }
    }

    #[test]
    fn another_address_with_the_same_port_is_not_meant() {
        let (_listener, address) = listener("127.88.1.4:0");
        let other = SocketAddr::from(([127, 88, 1, 5], address.port()));
        assert!(!is_listening(other).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn what_listens_is_looked_at_for_a_moment_after_a_hint_and_what_does_not_for_ever() {
        let (listener, address) = listener("127.88.1.6:0");
        let mut upstream = Upstream::new(address, true);
        tokio::time::advance(Duration::from_secs(5)).await;
        upstream.hint();
        let mut looks = 0;
        while upstream.due().is_some() {
            upstream.watch().await;
            looks += 1;
        }
        assert!((2..10).contains(&looks), "{looks}");
        drop(listener);
        for _ in 0..100_000 {
            upstream.hint();
            upstream.watch().await;
            if !upstream.listens() {
                break;
            }
        }
        assert!(!upstream.listens());
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(upstream.due().is_some());
    }

    #[tokio::test]
    async fn what_is_not_followed_counts_as_there() {
        let mut upstream = Upstream::new("127.88.1.7:1".parse().unwrap(), false);
        upstream.try_again();
        assert!(upstream.listens() && upstream.due().is_none());
    }
}
