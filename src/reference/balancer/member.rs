//! What the balancer is told of a member: [`MemberSpec`], read from `NAME=HOST:PORT[*WEIGHT]` and from the members API.
//!
//! Pure.
//! Invariant: a name is safe as a header value and as a path segment, a port is not zero, and a weight lies in 1 to 1000.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest name of a member, in bytes.
const NAME_LIMIT: usize = 64;
/// Longest host name or address literal, in bytes (RFC 1035, section 2.3.4).
const HOST_LIMIT: usize = 255;
/// Greatest weight of a member.
const WEIGHT_LIMIT: u32 = 1000;

/// Identifies one joining of the fleet, counted from 1 in the order of joining; never used twice by one balancer.
///
/// A member that leaves and joins again is another one, although its name is the same: its sessions are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ordinal(pub u64);

/// A member as configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct MemberSpec {
    name: String,
    address: String,
    weight: u32,
}

/// Why a text is no [`MemberSpec`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MemberError {
    /// The text has another form.
    #[error("expected \"NAME=HOST:PORT\" or \"NAME=HOST:PORT*WEIGHT\", not {0:?}")]
    Form(String),
    /// The name is empty, too long or has other characters.
    #[error("a member's name has 1 to 64 letters, digits, \"-\", \"_\" or \".\", unlike {0:?}")]
    Name(String),
    /// The address has no host, or no port from 1 to 65535.
    #[error("expected an address such as \"127.0.0.1:8080\", not {0:?}")]
    Address(String),
    /// The weight is no number in the range.
    #[error("a weight is a whole number from 1 to 1000, not {0:?}")]
    Weight(String),
}

impl MemberSpec {
    /// A member `name` at `address` (`HOST:PORT`) with `weight` (1 to 1000, relative to the other members).
    ///
    /// # Errors
    /// If a part is not of its form or range.
    pub fn new(name: &str, address: &str, weight: u32) -> Result<Self, MemberError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > NAME_LIMIT || !name.bytes().all(allowed) {
            return Err(MemberError::Name(shortened(name)));
        }
        let (host, port) = address
            .rsplit_once(':')
            .ok_or_else(|| MemberError::Address(shortened(address)))?;
        let host_is_fine = !host.is_empty()
            && host.len() <= HOST_LIMIT
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte));
        if !host_is_fine || !port.parse::<u16>().is_ok_and(|port| port != 0) {
            return Err(MemberError::Address(shortened(address)));
        }
        if !(1..=WEIGHT_LIMIT).contains(&weight) {
            return Err(MemberError::Weight(weight.to_string()));
        }
        Ok(Self {
            name: name.to_owned(),
            address: address.to_owned(),
            weight,
        })
    }

    /// The name, such as `server-2`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The weight, 1 to 1000.
    pub fn weight(&self) -> u32 {
        self.weight
    }
}

/// Reads the members of a file, one a line; empty lines and those that begin with `#` say nothing.
///
/// # Errors
/// The first line that is no member.
pub(super) fn of_lines(text: &str) -> Result<Vec<MemberSpec>, MemberError> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::parse)
        .collect()
}

/// The beginning of a text, for messages: what others send may be long.
fn shortened(text: &str) -> String {
    text.chars().take(NAME_LIMIT).collect()
}

impl FromStr for MemberSpec {
    type Err = MemberError;

    fn from_str(text: &str) -> Result<Self, MemberError> {
        let (name, rest) = text
            .split_once('=')
            .ok_or_else(|| MemberError::Form(shortened(text)))?;
        let (address, weight) = rest.rsplit_once('*').unwrap_or((rest, "1"));
        let weight = weight
            .parse()
            .map_err(|_| MemberError::Weight(shortened(weight)))?;
        Self::new(name, address, weight)
    }
}

impl fmt::Display for MemberSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.address)?;
        if self.weight == 1 {
            return Ok(());
        }
        write!(f, "*{}", self.weight)
    }
}

/// A member as the API receives it, before its parts are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    name: String,
    address: String,
    #[serde(default = "one")]
    weight: u32,
}

fn one() -> u32 {
    1
}

impl TryFrom<Unchecked> for MemberSpec {
    type Error = MemberError;

    fn try_from(unchecked: Unchecked) -> Result<Self, MemberError> {
        Self::new(&unchecked.name, &unchecked.address, unchecked.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_reads_back_as_it_prints() {
        for text in [
            "server-1=127.42.1.1:20001",
            "a=[::1]:80*7",
            "b_2.x=db:1*1000",
        ] {
            assert_eq!(text.parse::<MemberSpec>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_member_is_refused() {
        for text in [
            "",
            "a",
            "=h:1",
            "a=h",
            "a=:1",
            "a=h:0",
            "a=h:65536",
            "a=h:1*0",
            "a=h:1*1001",
            "a=h:1*x",
            "a b=h:1",
            "a/b=h:1",
            "a=h h:1",
        ] {
            assert!(text.parse::<MemberSpec>().is_err(), "{text}");
        }
        assert!(MemberSpec::new(&"a".repeat(65), "h:1", 1).is_err());
    }

    #[test]
    fn the_api_form_is_checked_like_the_argument() {
        let read = |text: &str| serde_json::from_str::<MemberSpec>(text);
        let spec = read(r#"{"name":"a","address":"h:1"}"#).unwrap();
        assert_eq!(
            (spec.name(), spec.address(), spec.weight()),
            ("a", "h:1", 1)
        );
        assert!(read(r#"{"name":"a\r\nx","address":"h:1"}"#).is_err());
        assert!(read(r#"{"name":"a","address":"h:1","wieght":2}"#).is_err());
    }
}
