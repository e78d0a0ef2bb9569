//! Members that come, go, fail and return, under a clock that the tests turn.

use super::super::policy::POLICIES;
use super::*;

const NOW: Duration = Duration::from_secs(100);

fn settings() -> Settings {
    Settings {
        policy: &POLICIES[0],
        sticky: Switch::On,
        failover: Switch::On,
        rules: Rules {
            max_fails: 1,
            fail_timeout: Duration::from_secs(1),
            rise: 1,
            fall: 2,
        },
        checks: Switch::On,
        session_capacity: 10,
        pool: PoolLimits {
            idle: 4,
            idle_timeout: Duration::from_secs(1),
        },
    }
}

fn fleet_of(count: u32, settings: Settings) -> Fleet {
    let fleet = Fleet::new(settings);
    for number in 1..=count {
        fleet
            .add(MemberSpec::new(&format!("server-{number}"), "127.0.0.1:1", 1).unwrap())
            .unwrap();
    }
    fleet
}

fn facts(session: Option<&str>) -> Facts<'_> {
    Facts {
        session,
        client: "127.0.0.1",
    }
}

fn choose(fleet: &Fleet, session: Option<&str>) -> Option<String> {
    let lease = fleet.choose(NOW, &facts(session), &[])?;
    Some(lease.member.spec.name().to_owned())
}

#[test]
fn a_session_stays_with_its_holder_and_moves_when_that_fails() {
    let fleet = fleet_of(3, settings());
    let holder = fleet.choose(NOW, &facts(None), &[]).unwrap();
    fleet.answered(NOW, &holder.member, Lesson::Holds("s"));
    let name = holder.member.spec.name().to_owned();
    // The lease is still held, so by policy the holder would be the last to be chosen.
    for _ in 0..5 {
        assert_eq!(choose(&fleet, Some("s")), Some(name.clone()));
    }
    fleet.failed(NOW, &holder.member);
    let other = fleet.choose(NOW, &facts(Some("s")), &[]).unwrap();
    assert_ne!(other.member.spec.name(), name);
    fleet.answered(NOW, &other.member, Lesson::HoldsNot("s"));
    let later = NOW + Duration::from_secs(2);
    let back = fleet.choose(later, &facts(Some("s")), &[]).unwrap();
    assert_eq!(
        back.member.spec.name(),
        name,
        "another member's 404 does not end the binding"
    );
}

#[test]
fn without_sticky_sessions_go_by_policy() {
    let fleet = fleet_of(
        2,
        Settings {
            sticky: Switch::Off,
            ..settings()
        },
    );
    let holder = fleet.choose(NOW, &facts(None), &[]).unwrap();
    fleet.answered(NOW, &holder.member, Lesson::Holds("s"));
    assert_ne!(
        choose(&fleet, Some("s")).as_deref(),
        Some(holder.member.spec.name())
    );
    assert_eq!(fleet.report(NOW).1.held, 0);
}

#[test]
fn tried_members_are_not_chosen_again() {
    let fleet = fleet_of(2, settings());
    let first = fleet.choose(NOW, &facts(None), &[]).unwrap().member.ordinal;
    let second = fleet
        .choose(NOW, &facts(None), &[first])
        .unwrap()
        .member
        .ordinal;
    assert_ne!(first, second);
    assert!(fleet.choose(NOW, &facts(None), &[first, second]).is_none());
}

#[test]
fn without_failover_unfit_members_are_still_chosen() {
    let fleet = fleet_of(
        1,
        Settings {
            failover: Switch::Off,
            ..settings()
        },
    );
    let member = fleet.members().remove(0);
    fleet.failed(NOW, &member);
    fleet.checked(&member, false);
    fleet.checked(&member, false);
    assert!(choose(&fleet, None).is_some());
    assert!(fleet.is_ready(NOW));
}

#[test]
fn only_a_checked_member_makes_the_fleet_ready() {
    let fleet = fleet_of(1, settings());
    assert!(
        choose(&fleet, None).is_some(),
        "an unchecked member gets traffic"
    );
    assert!(!fleet.is_ready(NOW));
    let member = fleet.members().remove(0);
    fleet.checked(&member, true);
    assert!(fleet.is_ready(NOW));
    fleet.checked(&member, false);
    fleet.checked(&member, false);
    assert!(!fleet.is_ready(NOW));
    assert!(choose(&fleet, None).is_none());
}

#[test]
fn a_lease_counts_as_active_until_dropped() {
    let fleet = fleet_of(2, settings());
    let leases: Vec<Lease> = (0..4)
        .map(|_| fleet.choose(NOW, &facts(None), &[]).unwrap())
        .collect();
    let active = || {
        fleet
            .report(NOW)
            .0
            .iter()
            .map(|report| report.active)
            .collect::<Vec<_>>()
    };
    assert_eq!(active(), [2, 2]);
    drop(leases);
    assert_eq!(active(), [0, 0]);
    assert_eq!(
        fleet
            .report(NOW)
            .0
            .iter()
            .map(|report| report.cancelled)
            .sum::<u64>(),
        4
    );
}

#[test]
fn adding_a_name_again_replaces_only_what_differs() {
    let fleet = fleet_of(1, settings());
    let spec = |weight| MemberSpec::new("server-1", "127.0.0.1:1", weight).unwrap();
    assert_eq!(fleet.add(spec(1)), Ok(Added::Unchanged));
    assert_eq!(fleet.add(spec(2)), Ok(Added::Replaced));
    assert_eq!(fleet.members().len(), 1);
    assert!(fleet.remove("server-1"));
    assert!(!fleet.remove("server-1"));
    assert!(choose(&fleet, None).is_none());
}

#[test]
fn a_full_fleet_refuses_members() {
    let fleet = fleet_of(u32::try_from(MEMBER_LIMIT).unwrap(), settings());
    let spec = MemberSpec::new("one-more", "127.0.0.1:1", 1).unwrap();
    assert_eq!(fleet.add(spec), Err(FleetFull));
}

#[test]
fn a_new_list_takes_away_who_is_missing_and_leaves_alone_who_stays() {
    let fleet = fleet_of(2, settings());
    let stays = fleet.members()[1].ordinal;
    let spec = |name: &str| MemberSpec::new(name, "127.0.0.1:1", 1).unwrap();
    fleet
        .replace(vec![spec("server-2"), spec("server-3")])
        .unwrap();
    let members = fleet.members();
    let names: Vec<&str> = members.iter().map(|member| member.spec.name()).collect();
    assert_eq!(names, ["server-2", "server-3"]);
    assert_eq!(members[0].ordinal, stays);
}
