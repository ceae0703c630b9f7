//! Edits of each source, and what is in effect after them.

mod broken_edits;
mod edit_sequences;
pub(crate) mod retained_cases;
