//! The vocabulary: the words that every other module speaks, each one small file.
//!
//! Pure. Nothing here does I/O or reads a clock; everything serialises, because every one of these types is stored in a run
//! directory and read back from it. Words and their meanings: `ARCHITECTURE.md`, "Words".

pub mod call;
pub mod event;
pub mod id;
pub mod metric;
pub mod outcome;
pub mod protocol;
pub mod quantity;
pub mod seed;
pub mod session;
pub mod time;

pub use call::Call;
pub use event::{Event, EventKind};
pub use id::{InstanceId, SlotId};
pub use outcome::{Class, Outcome};
pub use protocol::ProtocolVersion;
pub use quantity::{Rate, Share};
pub use seed::Seed;
pub use session::SessionRow;
pub use time::{Offset, Window};
