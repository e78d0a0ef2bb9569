//! The run directory, where the two halves of mcpload meet: the left half appends to it, the right half reads it back.
//!
//! [`layout`], [`rows`] and [`tag`] are the format and pure; [`writer`] belongs to the left half, [`reader`] to the right.

pub mod layout;
pub mod reader;
pub mod rows;
pub mod tag;
pub mod writer;
