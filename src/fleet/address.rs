//! Addresses of a run: a loopback network of its own, so that runs, fleet and clients stay out of each other's way.
//!
//! Binds ports to see whether they are free. A slot keeps its port for the run; ports lie below the ephemeral range (32768
//! to 60999 by default), and clients connect from another address than the fleet's, so that a restarted instance finds its
//! port free.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// The least port of a slot.
const FIRST_PORT: u16 = 20_000;
/// The greatest port of a slot, below the ephemeral range.
const LAST_PORT: u16 = 32_000;

/// The loopback addresses of a run: `127.A.B.1` for the fleet, `127.A.B.2` for the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    a: u8,
    b: u8,
}

impl Network {
    /// The network that `number` (of the run's id) picks. 127.0.x.x is left to other programs.
    pub const fn picked_by(number: u16) -> Self {
        let [a, b] = number.to_be_bytes();
        Self {
            a: if a == 0 { 1 } else { a },
            b,
        }
    }

    /// Where the fleet listens.
    pub const fn fleet(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.a, self.b, 1))
    }

    /// Where clients connect from.
    pub const fn clients(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.a, self.b, 2))
    }

    /// `count` free ports on the fleet's address, in ascending order.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn free_ports(self, count: usize) -> io::Result<Vec<u16>> {
        let free: Vec<u16> = (FIRST_PORT..=LAST_PORT)
            .filter(|port| TcpListener::bind(SocketAddr::new(self.fleet(), *port)).is_ok())
            .take(count)
            .collect();
        if free.len() == count {
            Ok(free)
        } else {
            let message = format!(
                "{} has only {} free ports from {FIRST_PORT} to {LAST_PORT}, {count} are needed",
                self.fleet(),
                free.len()
            );
            Err(io::Error::new(io::ErrorKind::AddrInUse, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_passed_over() {
        let network = Network::picked_by(0x0103);
        let first = network.free_ports(1).unwrap();
        let held =
            TcpListener::bind(SocketAddr::new(network.fleet(), *first.first().unwrap())).unwrap();
        assert!(
            !network
                .free_ports(2)
                .unwrap()
                .contains(&held.local_addr().unwrap().port())
        );
    }

    #[test]
    fn fleet_and_clients_have_different_addresses_outside_the_first_network() {
        let network = Network::picked_by(0);
        assert_eq!(network.fleet().to_string(), "127.1.0.1");
        assert_eq!(network.clients().to_string(), "127.1.0.2");
    }
}
