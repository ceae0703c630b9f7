//! Decides when a polled state counts: after two consecutive polls observed it, and a bad state only after some time.

use std::time::{Duration, Instant};

/// The state at the last poll.
#[derive(Debug)]
pub(crate) struct LastObserved<S>(Option<S>);

impl<S: PartialEq> LastObserved<S> {
    /// Records `state`. Returns whether the state has settled: the previous poll observed the same state, so no program
    /// is writing the file now.
    pub(crate) fn observe(&mut self, state: S) -> bool {
        let before = self.0.replace(state);
        before.is_some() && before == self.0
    }

    /// Returns the state; `None` before the first poll.
    pub(crate) fn get(&self) -> Option<&S> {
        self.0.as_ref()
    }
}

impl<S> Default for LastObserved<S> {
    fn default() -> Self {
        Self(None)
    }
}

/// The duration of a bad state that often ends without intervention, such as between two steps of replacing a file.
#[derive(Debug, Default)]
pub(crate) struct BadSpell {
    since: Option<Instant>,
}

impl BadSpell {
    /// Returns how long the spell has lasted at the instant `at`. Starts a spell if there is none.
    pub(crate) fn duration_at(&mut self, at: Instant) -> Duration {
        at.saturating_duration_since(*self.since.get_or_insert(at))
    }

    /// Ends the spell.
    pub(crate) fn end(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_settles_when_two_polls_observe_it() {
        let mut last = LastObserved::default();
        let observed = [1, 1, 2, 1, 1, 1].map(|state| last.observe(state));
        assert_eq!(observed, [false, true, false, false, true, true]);
        assert_eq!(last.get(), Some(&1));
    }

    #[test]
    fn spell_lasts_from_its_first_poll_until_its_end() {
        let (start, mut spell) = (Instant::now(), BadSpell::default());
        let second = Duration::from_secs(1);
        assert_eq!(spell.duration_at(start), Duration::ZERO);
        assert_eq!(spell.duration_at(start + second), second);
        spell.end();
        assert_eq!(spell.duration_at(start + second), Duration::ZERO);
    }
}
