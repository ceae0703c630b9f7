//! The maximum cost of an expression, computed when the expression is loaded.
//!
//! A unit is about a nanosecond. The bounds of each value follow from the bounds of its parts, so the cost includes the
//! growth of a text by `replace` or by a chain of `+`.

use super::types::ValueType;

/// The cost of visiting a node.
pub(super) const NODE_COST: u64 = 50;
/// The cost of one round of a loop, besides the cost of its nodes.
pub(super) const ROUND_COST: u64 = 200;
/// The cost of creating an item of a list, besides its bytes.
const ITEM_COST: u64 = 50;

/// The type of a value and the bounds of its size.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValueBounds {
    pub(super) ty: ValueType,
    /// The maximum number of items of a list.
    pub(super) items: u64,
    /// The maximum number of bytes of a string, or of all items of a list together.
    pub(super) bytes: u64,
    /// The maximum number of bytes of a string, or of one item of a list.
    pub(super) max_item_bytes: u64,
    /// The minimum number of bytes of a string.
    min_bytes: u64,
}

impl ValueBounds {
    pub(super) const BOOL: Self = Self::without_size(ValueType::Bool);
    pub(super) const INT: Self = Self::without_size(ValueType::Int);

    const fn without_size(ty: ValueType) -> Self {
        Self {
            ty,
            items: 0,
            bytes: 0,
            max_item_bytes: 0,
            min_bytes: 0,
        }
    }

    /// Returns the bounds of a string of up to `bytes` bytes.
    pub(super) const fn string(bytes: u64) -> Self {
        Self {
            bytes,
            max_item_bytes: bytes,
            ..Self::without_size(ValueType::String)
        }
    }

    /// Returns the bounds of the string literal `text`.
    pub(super) fn literal(text: &str) -> Self {
        let bytes = text.len() as u64;
        Self {
            min_bytes: bytes,
            ..Self::string(bytes)
        }
    }

    /// Returns the bounds of a list of up to `items` strings, each of up to `max_item_bytes` bytes, together of up to
    /// `bytes`.
    pub(super) const fn strings(items: u64, max_item_bytes: u64, bytes: u64) -> Self {
        Self {
            items,
            bytes,
            max_item_bytes,
            ..Self::without_size(ValueType::Strings)
        }
    }

    /// Returns the bounds of the list of `items`.
    pub(super) fn list(items: &[Self]) -> Self {
        Self::strings(
            items.len() as u64,
            items.iter().map(|item| item.bytes).max().unwrap_or(0),
            sum(items, |item| item.bytes),
        )
    }

    /// Returns the bounds of an item of this list.
    pub(super) fn item(self) -> Self {
        Self::string(self.max_item_bytes)
    }

    /// Returns the bounds of a value that is either this or `other`.
    pub(super) fn union(self, other: Self) -> Self {
        Self {
            ty: self.ty,
            items: self.items.max(other.items),
            bytes: self.bytes.max(other.bytes),
            max_item_bytes: self.max_item_bytes.max(other.max_item_bytes),
            min_bytes: self.min_bytes.min(other.min_bytes),
        }
    }

    /// Returns the bounds of this value followed by `other`.
    pub(super) fn concatenated(self, other: Self) -> Self {
        let bytes = self.bytes.saturating_add(other.bytes);
        Self {
            ty: self.ty,
            items: self.items.saturating_add(other.items),
            bytes,
            max_item_bytes: match self.ty {
                ValueType::String => bytes,
                _ => self.max_item_bytes.max(other.max_item_bytes),
            },
            min_bytes: self.min_bytes.saturating_add(other.min_bytes),
        }
    }

    /// Returns the bounds of the result, of the type `result`, of a call of `function`. The first of the `arguments` is
    /// the receiver, if there is one.
    pub(super) fn call_result(function: &str, arguments: &[Self], result: ValueType) -> Self {
        match (function, arguments) {
            ("split", [text, separator, ..]) => {
                let items = text.max_occurrences(*separator).saturating_add(1);
                Self::strings(items, text.bytes, text.bytes)
            }
            ("replace", [text, from, to, ..]) => {
                let growth = to.bytes.saturating_sub(from.min_bytes);
                let most = text.max_occurrences(*from).saturating_mul(growth);
                Self::string(text.bytes.saturating_add(most))
            }
            ("join", [list, separator @ ..]) => {
                let separators = list.items.saturating_mul(sum(separator, |text| text.bytes));
                Self::string(list.bytes.saturating_add(separators))
            }
            // All other functions return a part of their text.
            (_, [text, ..]) if result == ValueType::String => Self::string(text.bytes),
            _ => Self::without_size(result),
        }
    }

    /// Returns how often `part` can occur in this text. An empty part occurs before and after each character.
    fn max_occurrences(self, part: Self) -> u64 {
        match self.bytes.checked_div(part.min_bytes) {
            Some(times) => times,
            None => self.bytes.saturating_add(1),
        }
    }

    /// Returns the cost of reading or creating the value.
    pub(super) fn cost(self) -> u64 {
        self.items
            .saturating_mul(ITEM_COST)
            .saturating_add(self.bytes)
    }
}

/// Returns the total cost or size of a loop, from a round with an empty item and a round with all items joined into
/// one.
///
/// Costs and sizes grow at least linearly with their text. The value for an empty item therefore counts once per round,
/// and the difference for the joined items counts once.
pub(super) fn loop_total(rounds: u64, with_empty: u64, with_all: u64) -> u64 {
    rounds
        .saturating_mul(with_empty)
        .saturating_add(with_all.saturating_sub(with_empty))
}

/// Returns the sum of `size` over `shapes`.
pub(super) fn sum(shapes: &[ValueBounds], size: impl Fn(&ValueBounds) -> u64) -> u64 {
    shapes
        .iter()
        .fold(0, |sum, bounds| sum.saturating_add(size(bounds)))
}
