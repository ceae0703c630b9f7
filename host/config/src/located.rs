//! Values with their locations.

use std::fmt;

use crate::diagnostic::{Diagnostic, DiagnosticCode, Location, Origin};
use crate::yaml::{Key, Node, Value};

/// A value with its location and the name of its setting.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// Value of the setting.
    pub value: T,
    /// Location of the value.
    pub location: Location,
    /// Name of the setting, such as `server.mapRoles[2]`.
    pub setting: String,
}

impl<T> Located<T> {
    /// Creates a value from the command line. `name` is the name of the flag, without dashes.
    pub(super) fn from_flag(name: &'static str, value: T) -> Self {
        Self {
            value,
            location: Location::from_origin(Origin::CommandLine),
            setting: format!("--{name}"),
        }
    }

    /// Creates a value from the environment variable `name`.
    pub(super) fn from_variable(name: &'static str, value: T) -> Self {
        Self {
            value,
            location: Location::from_origin(Origin::Environment),
            setting: name.to_owned(),
        }
    }

    /// Returns a diagnostic of this value. Its text is the name of the setting, followed by `text`.
    pub(super) fn diagnostic(&self, text: impl std::fmt::Display) -> Diagnostic {
        Diagnostic::invalid_setting(
            self.location.clone(),
            format_args!("`{}` {text}", self.setting),
        )
    }

    /// Returns `value` with the same location and setting.
    pub(super) fn with_value<U>(self, value: U) -> Located<U> {
        Located {
            value,
            location: self.location,
            setting: self.setting,
        }
    }
}

impl Located<Value> {
    /// Returns the items of a list. Null is an empty list, and text is split at commas, as in the Go server. Both cause
    /// a warning.
    pub(super) fn into_items(
        self,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Vec<Self>, Diagnostic> {
        let items: Vec<(Location, Value)> = match self.value {
            Value::List(items) => items
                .into_iter()
                .map(|item| (self.location.in_same_file(item.position), item.value))
                .collect(),
            Value::Null => {
                warnings.push(
                    self.null_diagnostic()
                        .into_warning(DiagnosticCode::EmptyList),
                );
                Vec::new()
            }
            Value::Text(ref text) => {
                let diagnostic = self.diagnostic("is text, which is split at commas; write a list");
                warnings.push(diagnostic.into_warning(DiagnosticCode::TextForList));
                let items = text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                items
                    .map(|item| (self.location.clone(), Value::Text(item.to_owned())))
                    .collect()
            }
            Value::Unquoted(ref unquoted) => {
                return Err(self.diagnostic(unquoted.instead_of_list()));
            }
            Value::Bool(_) | Value::Number(_) | Value::Map(_) | Value::ComplexMap => {
                return Err(self.wrong_type_diagnostic("a list"));
            }
        };
        let setting = |index| format!("{}[{index}]", self.setting);
        Ok(items
            .into_iter()
            .enumerate()
            .map(|(index, (location, value))| Located {
                value,
                location,
                setting: setting(index),
            })
            .collect())
    }

    /// Returns the diagnostic of a null in place of a list. The list is empty then, as in the Go server.
    pub(super) fn null_diagnostic(&self) -> Diagnostic {
        self.diagnostic("has no value; write `[]`, or remove the key")
    }

    /// Returns the diagnostic of a value whose type is not `expected`.
    pub(super) fn wrong_type_diagnostic(&self, expected: &str) -> Diagnostic {
        let found = self.value.kind();
        Diagnostic::invalid_setting(
            self.location.clone(),
            format_args!("`{}`: expected {expected}, found {found}", self.setting),
        )
    }

    /// Returns a diagnostic if the value is text, where only a list is valid.
    pub(super) fn text_for_list_diagnostic(&self) -> Option<Diagnostic> {
        match &self.value {
            Value::Text(text) if !text.trim().is_empty() => {
                Some(self.wrong_type_diagnostic("a list"))
            }
            _ => None,
        }
    }

    /// Returns the value as text, for a setting that is or starts with a number. `what` describes the valid values.
    ///
    /// The error for a number that YAML can read in several ways does not suggest quotes, which would not help here.
    pub(super) fn into_number_text(
        self,
        what: impl fmt::Display,
    ) -> Result<Located<String>, Diagnostic> {
        match &self.value {
            Value::Number(number) if !is_plain_integer(number) => {
                Err(self.diagnostic(format_args!("is `{number}`; must be {what}")))
            }
            _ => self.into_text(),
        }
    }

    /// Returns the value as text. A number is taken as it is written, if all versions of YAML read it in the same way.
    pub(super) fn into_text(self) -> Result<Located<String>, Diagnostic> {
        match self.value {
            Value::Text(ref text) => {
                let text = text.clone();
                Ok(self.with_value(text))
            }
            Value::Number(ref digits) if is_plain_integer(digits) => {
                let digits = digits.clone();
                Ok(self.with_value(digits))
            }
            Value::Number(ref number) => Err(self.diagnostic(format_args!(
                "is `{number}` without quotes, which YAML may read as a different number; put quotes around it"
            ))),
            Value::Bool(_) => Err(self.diagnostic("is a boolean without quotes; put quotes around it")),
            Value::Null => Err(self.diagnostic("has no value; add one")),
            Value::Unquoted(ref unquoted) => Err(self.diagnostic(unquoted)),
            Value::Map(ref entries) if is_text_with_colon(entries) => Err(self.diagnostic(
                "has a colon with a space after it, which YAML reads as a map; put quotes around the whole value",
            )),
            Value::List(_) | Value::Map(_) | Value::ComplexMap => {
                Err(self.wrong_type_diagnostic("text"))
            }
        }
    }
}

/// Returns whether a map is probably meant as text, such as `system: masters`: a single entry on one line.
fn is_text_with_colon(entries: &[(Key, Node)]) -> bool {
    match entries {
        [(key, node)] => {
            key.position.line == node.position.line
                && matches!(node.value, Value::Text(_) | Value::Number(_))
        }
        _ => false,
    }
}

/// Returns whether `text` is a non-negative integer without leading zeros, which all versions of YAML read in the same
/// way.
pub(super) fn is_plain_integer(text: &str) -> bool {
    text == "0"
        || (!text.starts_with('0')
            && !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit()))
}
