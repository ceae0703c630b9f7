//! Values with their location.

use std::fmt;

use crate::diagnostic::{Diagnostic, DiagnosticCode, Location, Origin};
use crate::yaml::{Key, Node, Value};

/// A value, where it was given, and for which setting.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was given.
    pub location: Location,
    /// The setting, such as `server.mapRoles[2]`.
    pub setting: String,
}

impl<T> Located<T> {
    /// A value from the command line; `name` is the flag's, without dashes.
    pub(super) fn from_flag(name: &'static str, value: T) -> Self {
        Self {
            value,
            location: Location::from_origin(Origin::CommandLine),
            setting: format!("--{name}"),
        }
    }

    /// A value from the environment.
    pub(super) fn from_variable(name: &'static str, value: T) -> Self {
        Self {
            value,
            location: Location::from_origin(Origin::Environment),
            setting: name.to_owned(),
        }
    }

    /// Returns a diagnostic of this value. The name of the setting precedes `text`.
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
    /// The items of a list. Null is an empty one with a warning; so is text, which Go splits into items.
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
                let diagnostic =
                    self.diagnostic("is text, read as items between commas; write a list");
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
            ref other @ (Value::Bool(_) | Value::Number(_) | Value::Map(_) | Value::ComplexMap) => {
                return Err(self.diagnostic(format_args!("is {}; it must be a list", other.kind())));
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

    /// Returns the diagnostic of a null, which maps nobody, as in Go.
    pub(super) fn null_diagnostic(&self) -> Diagnostic {
        self.diagnostic("has nothing in it; write `[]`, or remove the key")
    }

    /// Returns the diagnostic of text where only a list is valid.
    pub(super) fn text_for_list_diagnostic(&self) -> Option<Diagnostic> {
        match &self.value {
            Value::Text(text) if !text.trim().is_empty() => {
                Some(self.diagnostic("is text; it must be a list"))
            }
            _ => None,
        }
    }

    /// The value as text, for a setting that is a number or begins with one: `what` says which, with its range. Quotes
    /// would not help a number that YAML reads in several ways.
    pub(super) fn into_number_text(
        self,
        what: impl fmt::Display,
    ) -> Result<Located<String>, Diagnostic> {
        match &self.value {
            Value::Number(number) if !is_plain_integer(number) => {
                Err(self.diagnostic(format_args!("is `{number}`; write {what}")))
            }
            _ => self.into_text(),
        }
    }

    /// The value as text. A number is taken as it is written, if everybody reads it alike.
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
                "is `{number}` without quotes, which YAML takes for another number; put quotes around it"
            ))),
            Value::Bool(_) => Err(self.diagnostic("is true or false without quotes; put quotes around it")),
            Value::Null => Err(self.diagnostic("has nothing in it; write a value")),
            Value::Unquoted(ref unquoted) => Err(self.diagnostic(unquoted)),
            Value::Map(ref entries) if is_text_with_colon(entries) => Err(self.diagnostic(
                "has a colon with a space after it, which YAML reads as a map; put quotes around the whole value",
            )),
            ref other @ (Value::List(_) | Value::Map(_) | Value::ComplexMap) => {
                Err(self.diagnostic(format_args!("is {}; it must be text", other.kind())))
            }
        }
    }
}

/// Whether a map is probably meant as text, such as `system: masters`: it stands on one line.
fn is_text_with_colon(entries: &[(Key, Node)]) -> bool {
    match entries {
        [(key, node)] => {
            key.position.line == node.position.line
                && matches!(node.value, Value::Text(_) | Value::Number(_))
        }
        _ => false,
    }
}

/// Whether `text` is an integer that YAML 1.1, YAML 1.2 and a reader of texts all take for the same.
pub(super) fn is_plain_integer(text: &str) -> bool {
    text == "0"
        || (!text.starts_with('0')
            && !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit()))
}
