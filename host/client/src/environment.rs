//! The environment of a process, as data. The driver reads it once; all other code receives it.

use std::collections::BTreeMap;
use std::fmt;

/// Environment variables with their values. `Debug` shows only the names, because values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Returns the environment of this process. Replaces invalid Unicode with U+FFFD.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// Returns the value of a variable; `None` if the variable is empty or not set. Tools of Alibaba Cloud treat an
    /// empty variable as one that is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the first variable of `names` that is set, with its value.
    #[must_use]
    pub fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// Returns whether a variable is a switch that is on: `true` in any case.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Returns this environment with the variables of `other`, which replace variables of the same name. An empty
    /// variable of `other` hides a variable of this environment.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        let variables = other.0.iter();
        self.0
            .extend(variables.map(|(name, value)| (name.clone(), value.clone())));
        self
    }

    /// Returns the variables that are different in `other`, or absent there, the empty ones included.
    pub(crate) fn difference<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let variables = self.0.iter();
        variables
            .filter(|(name, value)| other.0.get(*name) != Some(value))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the variables that are set, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(_, value)| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_variables_replace_earlier_ones_even_if_they_are_empty() {
        let environment = |variables: &[(&str, &str)]| -> Environment {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            variables.iter().map(owned).collect()
        };
        let first = environment(&[("A", "1"), ("B", "1"), ("C", "1")]);
        let both = first.with(&environment(&[("B", "2"), ("C", ""), ("D", "2")]));
        let variables: Vec<_> = both.iter().collect();
        assert_eq!(variables, [("A", "1"), ("B", "2"), ("D", "2")]);
    }
}
