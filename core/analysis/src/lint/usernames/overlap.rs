//! The search for a username that two sets have in common.

use super::{UsernamePart, UsernameSet};

/// A position in a sequence of parts: the number of complete parts, and whether the next one has begun.
type PartPosition = (usize, bool);

/// The search for a text that two sequences of parts have in common. It advances through both sequences in parallel.
pub(super) struct OverlapSearch<'a> {
    one: &'a [UsernamePart],
    other: &'a [UsernamePart],
    visited: Vec<bool>,
    rest: Vec<(PartPosition, PartPosition)>,
}

impl<'a> OverlapSearch<'a> {
    pub(super) fn new(one: &'a UsernameSet, other: &'a UsernameSet) -> Self {
        let (one, other) = (&*one.parts, &*other.parts);
        Self {
            visited: vec![false; 4 * (one.len() + 1) * (other.len() + 1)],
            rest: Vec::new(),
            one,
            other,
        }
    }

    /// Returns whether both sequences match some text.
    pub(super) fn has_common_text(mut self) -> bool {
        self.visit((0, false), (0, false));
        while let Some((one, other)) = self.rest.pop() {
            if one.0 == self.one.len() && other.0 == self.other.len() {
                return true;
            }
            if let Some(next) = after_ended_part(self.one, one) {
                self.visit(next, other);
            }
            if let Some(next) = after_ended_part(self.other, other) {
                self.visit(one, next);
            }
            let (Some(left), Some(right)) = (self.one.get(one.0), self.other.get(other.0)) else {
                continue;
            };
            if left.intersects(*right) {
                self.visit(after_character(*left, one), after_character(*right, other));
            }
        }
        false
    }

    fn visit(&mut self, one: PartPosition, other: PartPosition) {
        let row = 2 * one.0 + usize::from(one.1);
        let column = 2 * other.0 + usize::from(other.1);
        let index = row * 2 * (self.other.len() + 1) + column;
        if let Some(visited) = self.visited.get_mut(index)
            && !std::mem::replace(visited, true)
        {
            self.rest.push((one, other));
        }
    }
}

/// Returns the position after the current part, if the part may end here.
fn after_ended_part(
    parts: &[UsernamePart],
    (index, has_begun): PartPosition,
) -> Option<PartPosition> {
    match parts.get(index)? {
        UsernamePart::Repeated { may_be_empty, .. } if has_begun || *may_be_empty => {
            Some((index + 1, false))
        }
        UsernamePart::Literal(_) | UsernamePart::Repeated { .. } => None,
    }
}

/// Returns the position after a character of `part`.
fn after_character(part: UsernamePart, (index, _): PartPosition) -> PartPosition {
    match part {
        UsernamePart::Literal(_) => (index + 1, false),
        UsernamePart::Repeated { .. } => (index, true),
    }
}
