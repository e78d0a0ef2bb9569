//! Binding: what the `{{ … }}` in commands, environment and files of a slot stand for once addresses are chosen.
//!
//! Pure.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::model::SlotId;

/// A name between `{{` and `}}` that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{{{{ {name} }}}}` means nothing in {place}")]
pub struct UnknownName {
    /// The name.
    pub name: String,
    /// The slot whose text it stands in.
    pub place: String,
}

/// What a slot can say about itself and the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names<'a> {
    /// The slot.
    pub slot: &'a SlotId,
    /// Its host.
    pub address: &'a str,
    /// Its port.
    pub port: u16,
    /// Its directory in the run directory.
    pub directory: &'a str,
    /// Which start this is.
    pub incarnation: u32,
    /// Slot -> `host:port` that others use to reach it.
    pub links: &'a BTreeMap<SlotId, String>,
}

impl Names<'_> {
    /// `text` with every `{{ name }}` replaced.
    ///
    /// # Errors
    /// The first name that means nothing.
    pub fn expand(&self, text: &str) -> Result<String, UnknownName> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                break;
            };
            result.push_str(before);
            let name = name.trim();
            let value = self.value(name);
            result.push_str(&value.ok_or_else(|| UnknownName {
                name: name.to_owned(),
                place: self.slot.to_string(),
            })?);
            rest = after;
        }
        result.push_str(rest);
        Ok(result)
    }

    fn value(&self, name: &str) -> Option<String> {
        match name.split_once('.')? {
            ("slot", "address") => Some(self.address.to_owned()),
            ("slot", "port") => Some(self.port.to_string()),
            ("slot", "name") => Some(self.slot.to_string()),
            ("slot", "dir") => Some(self.directory.to_owned()),
            ("slot", "incarnation") => Some(self.incarnation.to_string()),
            ("link", slot) => self.links.get(&SlotId(slot.to_owned())).cloned(),
            ("links", role) => {
                let of_role = self.links.iter().filter(|(slot, _)| is_of(slot, role));
                let list: Vec<String> = of_role
                    .map(|(slot, link)| format!("{slot}={link}"))
                    .collect();
                (!list.is_empty()).then(|| list.join(","))
            }
            _ => None,
        }
    }
}

/// Whether the slot's name is `ROLE-NUMBER`.
fn is_of(slot: &SlotId, role: &str) -> bool {
    slot.as_str()
        .strip_prefix(role)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| rest.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, UnknownName> {
        let links = [
            ("server-1", "127.9.9.1:20001"),
            ("server-2", "127.9.9.1:20002"),
            ("server-x-1", "127.9.9.1:20003"),
        ]
        .map(|(slot, link)| (SlotId(slot.to_owned()), link.to_owned()))
        .into();
        let slot = SlotId::new("server", 1);
        let names = Names {
            slot: &slot,
            address: "127.9.9.1",
            port: 20001,
            directory: "/run/i",
            incarnation: 2,
            links: &links,
        };
        names.expand(text)
    }

    #[test]
    fn names_are_replaced_by_what_they_stand_for() {
        let cases = [
            ("plain", "plain"),
            ("{{ slot.address }}:{{slot.port}}", "127.9.9.1:20001"),
            (
                "--name {{ slot.name }}#{{ slot.incarnation }}",
                "--name server-1#2",
            ),
            ("{{ link.server-2 }}", "127.9.9.1:20002"),
            (
                "{{ links.server }}",
                "server-1=127.9.9.1:20001,server-2=127.9.9.1:20002",
            ),
            ("a {{ open", "a {{ open"),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text).unwrap(), expected);
        }
    }

    #[test]
    fn a_name_that_means_nothing_is_named() {
        let error = expand("{{ link.server-9 }}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`{{ link.server-9 }}` means nothing in server-1"
        );
    }
}
