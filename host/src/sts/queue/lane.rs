//! The waiters of one kind, with a line for each credential. The lines take turns.

use std::collections::{BTreeMap, HashMap, VecDeque};

use ack_ram_core::access_key::CredentialId;
use fastrand::Rng;
use tokio::sync::oneshot;

/// The result of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitResult {
    /// The waiter has a permit.
    Served,
    /// The waiter was dropped to make room for others.
    Dropped,
}

/// Lines of waiters. Every operation is logarithmic, except removing a waiter from the middle of a long line.
#[derive(Default)]
pub(super) struct Lane {
    lines: HashMap<CredentialId, Line>,
    /// The lines by turn. The first one is served next.
    turns: BTreeMap<u64, CredentialId>,
    next_turn: u64,
    /// The lines by length. Lines of equal length have no order.
    by_length: BTreeMap<usize, Vec<CredentialId>>,
    waiting: usize,
}

struct Line {
    /// The waiters by number, the oldest first.
    waiters: VecDeque<LaneWaiter>,
    turn: u64,
    /// Index of the line among those of its length.
    position: usize,
}

struct LaneWaiter {
    number: u64,
    notify: oneshot::Sender<WaitResult>,
}

impl Lane {
    /// Returns the number of waiters.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Adds a waiter to the end of the line of `credential`. Numbers must ascend.
    pub(super) fn push(
        &mut self,
        credential: CredentialId,
        number: u64,
        notify: oneshot::Sender<WaitResult>,
    ) {
        let waiter = LaneWaiter { number, notify };
        let mut line = match self.take(&credential) {
            Some(line) => line,
            None => Line {
                waiters: VecDeque::new(),
                turn: self.new_turn(credential),
                position: 0,
            },
        };
        line.waiters.push_back(waiter);
        self.put_back(credential, line);
    }

    /// Removes the first waiter of the line whose turn it is, and moves the line to the end of the turns.
    pub(super) fn pop(&mut self) -> Option<oneshot::Sender<WaitResult>> {
        let (_, credential) = self.turns.pop_first()?;
        let mut line = self.take(&credential)?;
        let waiter = line.waiters.pop_front();
        line.turn = self.new_turn(credential);
        self.put_back(credential, line);
        waiter.map(|waiter| waiter.notify)
    }

    /// Removes a random waiter of the longest line. If several lines are the longest, one of them is chosen at random.
    pub(super) fn drop_one(&mut self, random: &mut Rng) -> Option<oneshot::Sender<WaitResult>> {
        let (_, longest) = self.by_length.last_key_value()?;
        let credential = *longest.get(random.usize(..longest.len()))?;
        let mut line = self.take(&credential)?;
        let waiter = line.waiters.remove(random.usize(..line.waiters.len()));
        self.put_back(credential, line);
        waiter.map(|waiter| waiter.notify)
    }

    /// Removes the waiter with this `number`. Returns whether it existed.
    pub(super) fn remove(&mut self, credential: &CredentialId, number: u64) -> bool {
        let Some(mut line) = self.take(credential) else {
            return false;
        };
        let found = line
            .waiters
            .binary_search_by_key(&number, |waiter| waiter.number);
        let removed = found.ok().and_then(|index| line.waiters.remove(index));
        self.put_back(*credential, line);
        removed.is_some()
    }

    /// Returns whether all collections are empty.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let left = (self.lines.len(), self.turns.len(), self.by_length.len());
        left == (0, 0, 0) && self.waiting == 0
    }

    fn new_turn(&mut self, credential: CredentialId) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.turns.insert(turn, credential);
        turn
    }

    /// Takes out a line so that its length may change.
    fn take(&mut self, credential: &CredentialId) -> Option<Line> {
        let line = self.lines.remove(credential)?;
        let length = line.waiters.len();
        self.waiting -= length;
        if let Some(of_length) = self.by_length.get_mut(&length) {
            of_length.swap_remove(line.position);
            let moved = of_length.get(line.position);
            if let Some(moved) = moved.and_then(|moved| self.lines.get_mut(moved)) {
                moved.position = line.position;
            }
            if of_length.is_empty() {
                self.by_length.remove(&length);
            }
        }
        Some(line)
    }

    /// Puts a line back. An empty line is removed together with its turn.
    fn put_back(&mut self, credential: CredentialId, mut line: Line) {
        let length = line.waiters.len();
        if length == 0 {
            self.turns.remove(&line.turn);
            return;
        }
        let of_length = self.by_length.entry(length).or_default();
        line.position = of_length.len();
        of_length.push(credential);
        self.waiting += length;
        self.lines.insert(credential, line);
    }
}
