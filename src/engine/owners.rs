//! Who owns a session: the slot that served a client's last Call, for the clients that faults ask about.
//!
//! Pure. Fed with the rows of Calls as workers send them, once a second, so what it knows is up to two seconds old. It reads them
//! only if the plan has such a fault, and keeps one slot for each client that is asked about.

use std::collections::BTreeMap;
use std::io::Read;

use crate::model::{Call, InstanceId, Offset, SlotId};
use crate::plan::{OwnerPlan, Plan};

/// The most bytes that a frame of rows may unpack to: far above what a worker sends in a second.
const LARGEST: u64 = 1 << 30;

/// The owners of the sessions that faults ask about.
#[derive(Debug, Default)]
pub(super) struct Owners {
    known: BTreeMap<OwnerPlan, Option<(Offset, SlotId)>>,
}

impl Owners {
    /// Nobody is known yet.
    pub(super) fn of(plan: &Plan) -> Self {
        let asked = plan.faults.iter().filter_map(|fault| fault.owner.clone());
        Self {
            known: asked.map(|owner| (owner, None)).collect(),
        }
    }

    /// Reads a frame of Calls as it goes to disk: CSV rows without a header, compressed. What is torn is left out: the reader of
    /// the run says so.
    pub(super) fn observe(&mut self, frame: &[u8]) {
        if self.known.is_empty() {
            return;
        }
        let Ok(rows) = zstd::Decoder::new(frame) else {
            return;
        };
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(rows.take(LARGEST));
        for call in rows.deserialize::<Call>().flatten() {
            self.call(&call);
        }
    }

    fn call(&mut self, call: &Call) {
        let asked = self
            .known
            .iter_mut()
            .find(|(owner, _)| owner.client == call.client && owner.workload == call.workload);
        let Some((_, last)) = asked else {
            return;
        };
        if call.instance.is_empty() {
            return;
        }
        let Ok(instance) = call.instance.parse::<InstanceId>();
        if last.as_ref().is_none_or(|(at, _)| *at <= call.done) {
            *last = Some((call.done, instance.slot));
        }
    }

    /// The slot that owns the client's session, if a Call of it was served.
    pub(super) fn owner(&self, of: &OwnerPlan) -> Option<&SlotId> {
        let (_, slot) = self.known.get(of)?.as_ref()?;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::built::{MS, call, plan};
    use crate::model::Class;

    fn frame(calls: &[Call]) -> Vec<u8> {
        let mut rows = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(vec![]);
        for call in calls {
            rows.serialize(call).unwrap();
        }
        zstd::encode_all(rows.into_inner().unwrap().as_slice(), 1).unwrap()
    }

    #[test]
    fn the_owner_is_the_slot_that_served_the_last_call_of_the_client() {
        let asked = OwnerPlan {
            workload: "main".to_owned(),
            client: 7,
        };
        let mut plan = plan();
        plan.faults[0].owner = Some(asked.clone());
        let served = |k: u64, at: i64, by: &str| {
            let took = std::time::Duration::from_millis(1);
            call(k, Offset(at * MS), took, Class::None, by)
        };
        let mut owners = Owners::of(&plan);
        assert_eq!(owners.owner(&asked), None);
        // Arrival k belongs to client k mod 40. A Call that nobody is known to have served tells nothing.
        let first = [served(7, 10, "server-1#1"), served(8, 20, "server-3#1")];
        owners.observe(&frame(&first));
        assert_eq!(owners.owner(&asked).unwrap().as_str(), "server-1");
        let later = [
            served(47, 50, "server-2#4"),
            served(87, 40, "server-1#1"),
            served(127, 60, ""),
        ];
        owners.observe(&frame(&later));
        assert_eq!(owners.owner(&asked).unwrap().as_str(), "server-2");
        owners.observe(b"torn");
        assert_eq!(owners.owner(&asked).unwrap().as_str(), "server-2");
    }
}
