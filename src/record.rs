//! The run directory, where the two halves of mcpload meet: the left half appends to it, the right half reads it back.
//!
//! [`layout`], [`rows`], [`tag`] and `payload` are the format and pure; [`writer`] belongs to the left half, [`reader`] to the right.

pub mod layout;
pub(crate) mod payload;
pub mod reader;
pub mod rows;
pub mod tag;
pub mod writer;
