//! The ports of a fleet: one for each slot, those on standby included, and one for each proxy.
//!
//! Binds them to see whether they are free.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::FleetError;
use crate::fleet::address::Network;
use crate::model::SlotId;
use crate::plan::{FleetPlan, RolePlan, SlotPlan};

/// Where slots and their proxies listen.
pub(super) struct Ports {
    /// All of them.
    pub(super) used: BTreeSet<u16>,
    pub(super) addresses: BTreeMap<SlotId, SocketAddr>,
    /// What others use to reach a slot that has one.
    pub(super) proxies: BTreeMap<SlotId, SocketAddr>,
}

impl Ports {
    /// Chooses free ones.
    ///
    /// # Errors
    /// If there are not so many.
    pub(super) fn choose(plan: &FleetPlan, network: Network) -> Result<Self, FleetError> {
        let with_proxy = || plan.slots().filter(|(_, slot)| slot.wire.is_some());
        let ports = network
            .free_ports(plan.slots().count() + with_proxy().count())
            .map_err(|error| FleetError::Prepare(error.into()))?;
        let used = ports.iter().copied().collect();
        let at = |((_, slot), port): ((&RolePlan, &SlotPlan), u16)| {
            (slot.id.clone(), SocketAddr::new(network.fleet(), port))
        };
        let mut ports = ports.into_iter();
        let addresses = plan.slots().zip(ports.by_ref()).map(at).collect();
        let proxies = with_proxy().zip(ports).map(at).collect();
        Ok(Self {
            used,
            addresses,
            proxies,
        })
    }
}
