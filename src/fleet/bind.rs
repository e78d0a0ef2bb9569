//! Binding: what the `{{ … }}` in commands, environment and files of a slot stand for once addresses are chosen.
//!
//! Pure. A slot is reached under its link whatever it does; a list of a role (`links`, `each`) holds its members as they are when
//! the text is rendered.

use std::collections::{BTreeMap, BTreeSet};

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

/// Who is reached where, and who takes part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// Slot -> `host:port` that others use to reach it.
    pub links: BTreeMap<SlotId, String>,
    /// The slots that are no members now: on standby, or about to be replaced.
    pub absent: BTreeSet<SlotId>,
}

impl Roll {
    /// The members of a role with their links; `None` if there is no such role.
    pub fn members(&self, role: &str) -> Option<Vec<(&SlotId, &str)>> {
        let mut of_role = (self.links.iter())
            .filter(|(slot, _)| is_of(slot, role))
            .peekable();
        of_role.peek()?;
        let members = of_role.filter(|(slot, _)| !self.absent.contains(slot));
        Some(members.map(|(slot, link)| (slot, link.as_str())).collect())
    }
}

/// `each.ROLE "TEXT"`: a text for every member of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Each<'a> {
    /// The role.
    pub role: &'a str,
    /// What stands for a member; `{name}`, `{link}`, `{host}` and `{port}` in it are the member's.
    pub text: &'a str,
}

impl<'a> Each<'a> {
    /// Reads what stands between `{{` and `}}`, trimmed; `None` if it is of another form.
    pub fn parse(inner: &'a str) -> Option<Self> {
        let (role, text) = inner
            .strip_prefix("each.")?
            .split_once(char::is_whitespace)?;
        let text = text.trim();
        let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
        let text = quoted('"').or_else(|| quoted('\''))?;
        Some(Self { role, text })
    }

    /// A line for each member, the first without and the others with this indentation.
    fn lines(&self, roll: &Roll, indentation: &str) -> Option<String> {
        let members = roll.members(self.role)?;
        let line = |(slot, link): &(&SlotId, &str)| {
            let (host, port) = link.rsplit_once(':').unwrap_or((link, ""));
            (self.text)
                .replace("{name}", slot.as_str())
                .replace("{link}", link)
                .replace("{host}", host)
                .replace("{port}", port)
        };
        let lines: Vec<String> = members.iter().map(line).collect();
        Some(lines.join(&format!("\n{indentation}")))
    }
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
    /// Where the others are.
    pub roll: &'a Roll,
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
            let line = result.rsplit('\n').next().unwrap_or_default();
            let value = match Each::parse(name) {
                Some(each) => each.lines(self.roll, &indentation(line)),
                None => self.value(name),
            };
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
            ("link", slot) => self.roll.links.get(&SlotId(slot.to_owned())).cloned(),
            ("links", role) => {
                let members = self.roll.members(role)?.into_iter();
                let list: Vec<String> = members
                    .map(|(slot, link)| format!("{slot}={link}"))
                    .collect();
                Some(list.join(","))
            }
            _ => None,
        }
    }
}

/// The blanks that a line begins with, if it has nothing else.
fn indentation(line: &str) -> String {
    if line.chars().all(char::is_whitespace) {
        line.to_owned()
    } else {
        String::new()
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
        expand_without(text, &[])
    }

    fn expand_without(text: &str, absent: &[&str]) -> Result<String, UnknownName> {
        let links = [
            ("server-1", "127.9.9.1:20001"),
            ("server-2", "127.9.9.1:20002"),
            ("server-x-1", "127.9.9.1:20003"),
        ]
        .map(|(slot, link)| (SlotId(slot.to_owned()), link.to_owned()))
        .into();
        let absent = (absent.iter())
            .map(|slot| SlotId((*slot).to_owned()))
            .collect();
        let roll = Roll { links, absent };
        let slot = SlotId::new("server", 1);
        let names = Names {
            slot: &slot,
            address: "127.9.9.1",
            port: 20001,
            directory: "/run/i",
            incarnation: 2,
            roll: &roll,
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
    fn a_list_has_the_members_and_a_link_everybody() {
        let without = |text: &str, absent: &[&str]| expand_without(text, absent).unwrap();
        assert_eq!(
            without("{{ links.server }}", &["server-1"]),
            "server-2=127.9.9.1:20002"
        );
        assert_eq!(
            without("{{ link.server-1 }}", &["server-1"]),
            "127.9.9.1:20001"
        );
        // Nobody is a member: that is no wrong name.
        assert_eq!(
            without("<{{ links.server }}>", &["server-1", "server-2"]),
            "<>"
        );
        let each = "a {\n    {{ each.server \"server {link} weight=1;\" }}\n}";
        assert_eq!(
            without(each, &[]),
            "a {\n    server 127.9.9.1:20001 weight=1;\n    server 127.9.9.1:20002 weight=1;\n}"
        );
        let quoted = "{{ each.server '\"~{link}$\" {name} {host} {port};' }}";
        assert_eq!(
            without(quoted, &["server-2"]),
            "\"~127.9.9.1:20001$\" server-1 127.9.9.1 20001;"
        );
        for wrong in [
            "{{ each.server }}",
            "{{ each.nobody \"x\" }}",
            "{{ each.server \"x }}",
        ] {
            assert!(expand(wrong).is_err(), "{wrong}");
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
