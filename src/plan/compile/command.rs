//! Commands of roles: the reference fleet's defaults, and the templates that they hold.
//!
//! Pure. A command that starts with `mcpload serve server`, `balancer` or `stub` is completed with those options of the
//! default that it does not give itself.

use crate::plan::FleetPlan;

/// Which program of the reference fleet a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// `mcpload serve server`.
    Server,
    /// `mcpload serve balancer`.
    Balancer,
    /// `mcpload serve stub`.
    Stub,
}

impl Reference {
    /// The one that a role of this name is by default.
    pub(super) fn by_role(name: &str) -> Option<Self> {
        match name {
            "server" => Some(Self::Server),
            "balancer" => Some(Self::Balancer),
            "stub" => Some(Self::Stub),
            _ => None,
        }
    }

    /// The one that a command starts, if it does.
    pub(super) fn of(command: &[String]) -> Option<Self> {
        match command {
            [program, serve, which, ..] if program == "mcpload" && serve == "serve" => {
                Self::by_role(which)
            }
            _ => None,
        }
    }

    /// Its options: flag and value.
    const fn options(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Server => &[
                ("--listen", "{{ slot.address }}:{{ slot.port }}"),
                ("--name", "{{ slot.name }}"),
                ("--incarnation", "{{ slot.incarnation }}"),
                ("--ledger", "{{ slot.dir }}/ledger.jsonl"),
            ],
            Self::Balancer => &[
                ("--listen", "{{ slot.address }}:{{ slot.port }}"),
                ("--members", "{{ links.server }}"),
            ],
            Self::Stub => &[("--listen", "{{ slot.address }}:{{ slot.port }}")],
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Balancer => "balancer",
            Self::Stub => "stub",
        }
    }

    /// The path that tells that it is ready.
    pub(super) const fn ready_path(self) -> &'static str {
        match self {
            Self::Server => "/health/ready",
            Self::Balancer | Self::Stub => "/health",
        }
    }
}

/// The command of a role: its own, or the reference fleet's; `None` if it has neither.
pub(super) fn complete(
    role: &str,
    written: Option<&[String]>,
    args: &[String],
) -> Option<Vec<String>> {
    let mut command: Vec<String> = if let Some(command) = written {
        command.to_vec()
    } else {
        let which = Reference::by_role(role)?;
        ["mcpload", "serve", which.word()]
            .map(str::to_owned)
            .to_vec()
    };
    if let Some(which) = Reference::of(&command) {
        let given = |flag: &str| {
            let same = |text: &String| text == flag || text.starts_with(&format!("{flag}="));
            // `--member` gives single members where `--members` gives the list, and `--members-file` a file of them.
            let other = |text: &String| {
                let name = text.split('=').next();
                flag == "--members" && matches!(name, Some("--member" | "--members-file"))
            };
            let mut all = command.iter().chain(args);
            all.any(|text| same(text) || other(text))
        };
        let missing: Vec<String> = which
            .options()
            .iter()
            .filter(|(flag, _)| !given(flag))
            .flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()])
            .collect();
        command.extend(missing);
    }
    command.extend_from_slice(args);
    Some(command)
}

/// Whether all that the run deploys is the reference fleet, so that the contracts of its tools hold.
pub(super) fn is_reference_fleet(fleet: &FleetPlan) -> bool {
    let mut slots = fleet.slots().peekable();
    // A role without a command is reported as that.
    let ours = |command: &[String]| command.is_empty() || Reference::of(command).is_some();
    slots.peek().is_some() && slots.all(|(_, slot)| ours(&slot.command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_reference_roles_have_commands_and_others_do_not() {
        let server = complete("server", None, &words("--json")).unwrap();
        assert_eq!(server[..3], words("mcpload serve server"));
        assert!(server.contains(&"--listen".to_owned()));
        assert_eq!(server.last().unwrap(), "--json");
        assert_eq!(complete("cache", None, &[]), None);
    }

    #[test]
    fn a_reference_command_is_completed_with_what_it_lacks() {
        let written = words("mcpload serve balancer --policy weighted --members=a=b");
        let command = complete("front", Some(&written), &[]).unwrap();
        assert_eq!(
            command
                .iter()
                .filter(|text| text.starts_with("--members"))
                .count(),
            1
        );
        assert!(command.contains(&"{{ slot.address }}:{{ slot.port }}".to_owned()));
    }

    #[test]
    fn any_other_command_stays_as_it_is() {
        let written = words("nginx -c x");
        assert_eq!(complete("balancer", Some(&written), &[]).unwrap(), written);
    }
}
