//! The values of a profile, whatever file or output it comes from.

use std::sync::Arc;

use ack_ram_core::protocol::json::{JsonObject, JsonValue};

use crate::error::SetupError;
use crate::ini::Section;
use crate::origin::{Origin, Profile, Setting};

/// The values of a profile of the CLI, of a section of an INI file, or of the output of a process.
#[derive(Clone)]
pub(super) struct Values<'a> {
    entries: Entries<'a>,
    /// The profile or section; `None` for the output of a process.
    pub(super) profile: Option<Arc<Profile>>,
}

#[derive(Clone, Copy)]
enum Entries<'a> {
    Json(&'a JsonObject<'a>),
    Ini(&'a Section<'a>),
}

impl<'a> Values<'a> {
    /// Wraps a profile of the CLI.
    pub(super) fn of_profile(object: &'a JsonObject<'a>, profile: Arc<Profile>) -> Self {
        Self {
            entries: Entries::Json(object),
            profile: Some(profile),
        }
    }

    /// Wraps a profile that a process printed.
    pub(super) fn of_output(object: &'a JsonObject<'a>) -> Self {
        Self {
            entries: Entries::Json(object),
            profile: None,
        }
    }

    /// Wraps a section of an INI file.
    pub(super) fn of_section(section: &'a Section<'a>, profile: Arc<Profile>) -> Self {
        Self {
            entries: Entries::Ini(section),
            profile: Some(profile),
        }
    }

    /// Returns where a value is, or would be.
    pub(super) fn place(&self, name: &'static str) -> Origin {
        match (&self.profile, self.entries) {
            (None, _) => Origin::Output(name),
            (Some(profile), Entries::Json(_)) => Origin::Member(Arc::clone(profile), name),
            (Some(profile), Entries::Ini(_)) => Origin::Key(Arc::clone(profile), name),
        }
    }

    /// Returns a text; `None` if it is missing, `null` or empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<Setting<&'a str>>, SetupError> {
        let text = match self.entries {
            Entries::Ini(section) => self.ini_value(section, name)?,
            Entries::Json(object) => match self.json_value(object, name)? {
                None | Some(JsonValue::Null) => None,
                Some(JsonValue::String(text)) => Some(&**text),
                Some(_) => return Err(self.type_error(name, "a text")),
            },
        };
        let text = text.filter(|text| !text.is_empty());
        Ok(text.map(|text| Setting::new(text, self.place(name))))
    }

    /// Returns a text that must not be missing.
    pub(super) fn required(&self, name: &'static str) -> Result<Setting<&'a str>, SetupError> {
        let text = self.text(name)?;
        text.ok_or_else(|| SetupError::Missing {
            place: self.place(name),
        })
    }

    /// Returns a number; `None` if it is missing, `null` or zero.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<Setting<u64>>, SetupError> {
        let number = match self.entries {
            Entries::Ini(section) => match self.ini_value(section, name)? {
                None | Some("") => None,
                Some(text) => text
                    .parse()
                    .ok()
                    .map(Some)
                    .ok_or_else(|| self.number_error(name))?,
            },
            Entries::Json(object) => match self.json_value(object, name)? {
                None | Some(JsonValue::Null) => None,
                Some(JsonValue::Number(Some(number))) => Some(*number),
                Some(_) => return Err(self.number_error(name)),
            },
        };
        let number = number.filter(|number| *number != 0);
        Ok(number.map(|number| Setting::new(number, self.place(name))))
    }

    /// Returns a switch; `false` if it is missing or `null`.
    pub(super) fn switch(&self, name: &'static str) -> Result<bool, SetupError> {
        match self.entries {
            Entries::Ini(section) => Ok(self
                .ini_value(section, name)?
                .is_some_and(|value| value.eq_ignore_ascii_case("true"))),
            Entries::Json(object) => match self.json_value(object, name)? {
                None | Some(JsonValue::Null) => Ok(false),
                Some(JsonValue::Bool(value)) => Ok(*value),
                Some(_) => Err(self.type_error(name, "`true` or `false`")),
            },
        }
    }

    fn json_value(
        &self,
        object: &'a JsonObject<'a>,
        name: &'static str,
    ) -> Result<Option<&'a JsonValue<'a>>, SetupError> {
        member(object, name, || self.place(name))
    }

    fn ini_value(
        &self,
        section: &'a Section<'a>,
        name: &'static str,
    ) -> Result<Option<&'a str>, SetupError> {
        check_case(section.keys(), name, || self.place(name))?;
        Ok(section.get(name))
    }

    fn number_error(&self, name: &'static str) -> SetupError {
        self.type_error(name, "a whole number that is not negative")
    }

    fn type_error(&self, name: &'static str, expected: &'static str) -> SetupError {
        SetupError::Type {
            place: self.place(name),
            expected,
        }
    }
}

/// Returns a member of an object.
///
/// The official clients are written in Go, which ignores the case of members, and other clients do not. A member in
/// another case is an error, because it would decide about the identity in some clients only.
pub(super) fn member<'a>(
    object: &'a JsonObject<'a>,
    name: &'static str,
    place: impl FnOnce() -> Origin,
) -> Result<Option<&'a JsonValue<'a>>, SetupError> {
    check_case(object.iter().map(|(name, _)| name), name, place)?;
    Ok(object.member(name))
}

fn check_case<'a>(
    mut names: impl Iterator<Item = &'a str>,
    wanted: &'static str,
    place: impl FnOnce() -> Origin,
) -> Result<(), SetupError> {
    match names.find(|name| name.eq_ignore_ascii_case(wanted) && *name != wanted) {
        Some(found) => Err(SetupError::NameCase {
            place: place(),
            found: found.to_owned(),
        }),
        None => Ok(()),
    }
}
