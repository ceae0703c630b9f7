//! Strict parsing of JSON objects: a missing member, an unknown member or a wrong type is an error that names the key.

use ack_ram_core::protocol::json::{JsonObject, JsonValue};

use crate::config::{ConfigError, invalid_value};

/// A type that can be read from a JSON value.
pub(super) trait FromValue: Sized {
    /// Parses `value`, the value of `key`.
    ///
    /// # Errors
    /// When `value` has the wrong type or is not valid.
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError>;
}

/// The members of an object, which are read by name.
pub(super) struct Members<'a> {
    object: &'a JsonObject<'a>,
    key: &'a str,
    /// The names of all members that were requested, which are the known members.
    requested: Vec<&'static str>,
}

impl<'a> Members<'a> {
    /// Reads the object `value` with `read`, and refuses members that `read` did not request.
    pub(super) fn read_object<T>(
        value: &'a JsonValue<'a>,
        key: &'a str,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let JsonValue::Object(object) = value else {
            return Err(invalid_value(
                key,
                "must be an object; write its members in braces",
            ));
        };
        let requested = Vec::new();
        let mut members = Self {
            object,
            key,
            requested,
        };
        let read = read(&mut members)?;
        members.refuse_others()?;
        Ok(read)
    }

    /// Reads the member `name`, which is required.
    pub(super) fn required<T: FromValue>(&mut self, name: &'static str) -> Result<T, ConfigError> {
        self.optional(name)?
            .ok_or_else(|| invalid_value(self.path_of(name), "is required"))
    }

    /// Reads the member `name`, or returns `default`.
    pub(super) fn or_default<T: FromValue>(
        &mut self,
        name: &'static str,
        default: T,
    ) -> Result<T, ConfigError> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// Reads the member `name`, or an empty object if it is absent.
    pub(super) fn section_or_default<T: FromValue>(
        &mut self,
        name: &'static str,
    ) -> Result<T, ConfigError> {
        match self.optional(name)? {
            Some(section) => Ok(section),
            None => T::from_value(
                &JsonValue::Object(JsonObject::default()),
                &self.path_of(name),
            ),
        }
    }

    /// Reads the member `name`, if the object has it.
    pub(super) fn optional<T: FromValue>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        self.requested.push(name);
        let value = self.object.member(name);
        value
            .map(|value| T::from_value(value, &self.path_of(name)))
            .transpose()
    }

    fn refuse_others(&self) -> Result<(), ConfigError> {
        let mut names = self.object.iter().map(|(name, _)| name);
        let Some(unknown) = names.find(|name| !self.requested.contains(name)) else {
            return Ok(());
        };
        let requested = self.requested.join("`, `");
        Err(invalid_value(
            self.path_of(&unknown.escape_debug().to_string()),
            format_args!("is an unknown key; known keys are `{requested}`"),
        ))
    }

    fn path_of(&self, name: &str) -> String {
        match self.key {
            "" => name.to_owned(),
            key => format!("{key}.{name}"),
        }
    }
}

impl FromValue for String {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        match value {
            JsonValue::String(text) => Ok(text.as_ref().to_owned()),
            _ => Err(invalid_value(key, "must be text; write it in quotes")),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        match value {
            JsonValue::Bool(value) => Ok(*value),
            _ => Err(invalid_value(key, "must be `true` or `false`")),
        }
    }
}

impl FromValue for u32 {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        let number = match value {
            JsonValue::Number(Some(number)) => Self::try_from(*number).ok(),
            _ => None,
        };
        number.ok_or_else(|| {
            let most = Self::MAX;
            invalid_value(key, format_args!("must be a whole number from 0 to {most}"))
        })
    }
}

impl FromValue for usize {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        u32::from_value(value, key).map(|number| number as Self)
    }
}

/// Accepts null as absent. For all other types, null is an error.
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        match value {
            JsonValue::Null => Ok(None),
            value => T::from_value(value, key).map(Some),
        }
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        let JsonValue::Array(items) = value else {
            return Err(invalid_value(
                key,
                "must be a list; write its entries in brackets",
            ));
        };
        let mut list = Self::new();
        for (index, item) in items.iter().enumerate() {
            list.push(T::from_value(item, &format!("{key}[{index}]"))?);
        }
        Ok(list)
    }
}
