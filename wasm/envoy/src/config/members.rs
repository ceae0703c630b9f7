//! Reads JSON strictly: whatever is missing, of a wrong type or unknown is an error that says where it stands.

use ack_ram_core::json::{Object, Value};

use crate::config::{ConfigError, bad};

/// What can be read from JSON.
pub(super) trait Read: Sized {
    /// Reads `value`, which stands at `key`.
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError>;
}

/// The members of one object, to be taken by their names.
pub(super) struct Members<'a> {
    object: &'a Object<'a>,
    key: &'a str,
    /// The names that were asked for.
    known: Vec<&'static str>,
}

impl<'a> Members<'a> {
    /// Reads the object `value`, which has no other members than those that `read` takes.
    pub(super) fn of<T>(
        value: &'a Value<'a>,
        key: &'a str,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let Value::Object(object) = value else {
            return Err(bad(key, "is no object; write its members in braces"));
        };
        let known = Vec::new();
        let mut members = Self { object, key, known };
        let read = read(&mut members)?;
        members.refuse_others()?;
        Ok(read)
    }

    /// The member `name`, which must be there.
    pub(super) fn required<T: Read>(&mut self, name: &'static str) -> Result<T, ConfigError> {
        self.optional(name)?
            .ok_or_else(|| bad(self.key_of(name), "is missing"))
    }

    /// The member `name`, or else `default`.
    pub(super) fn or<T: Read>(&mut self, name: &'static str, default: T) -> Result<T, ConfigError> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// The member `name`, or else what an empty object reads as.
    pub(super) fn section<T: Read>(&mut self, name: &'static str) -> Result<T, ConfigError> {
        match self.optional(name)? {
            Some(section) => Ok(section),
            None => T::read(&Value::Object(Object::default()), &self.key_of(name)),
        }
    }

    /// The member `name`, if it is there.
    pub(super) fn optional<T: Read>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        self.known.push(name);
        let value = self.object.member(name);
        value
            .map(|value| T::read(value, &self.key_of(name)))
            .transpose()
    }

    fn refuse_others(&self) -> Result<(), ConfigError> {
        let mut names = self.object.iter().map(|(name, _)| name);
        let Some(unknown) = names.find(|name| !self.known.contains(name)) else {
            return Ok(());
        };
        let known = self.known.join("`, `");
        Err(bad(
            self.key_of(&unknown.escape_debug().to_string()),
            format_args!("is unknown; here may be `{known}`"),
        ))
    }

    fn key_of(&self, name: &str) -> String {
        match self.key {
            "" => name.to_owned(),
            key => format!("{key}.{name}"),
        }
    }
}

impl Read for String {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        match value {
            Value::String(text) => Ok(text.as_ref().to_owned()),
            _ => Err(bad(key, "is no text; write it in quotes")),
        }
    }
}

impl Read for bool {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        match value {
            Value::Bool(value) => Ok(*value),
            _ => Err(bad(key, "is neither `true` nor `false`; write one of them")),
        }
    }
}

impl Read for u32 {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        let number = match value {
            Value::Number(Some(number)) => Self::try_from(*number).ok(),
            _ => None,
        };
        number.ok_or_else(|| {
            let most = Self::MAX;
            bad(
                key,
                format_args!("is no whole number, 0 to {most}; write one"),
            )
        })
    }
}

impl Read for usize {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        u32::read(value, key).map(|number| number as Self)
    }
}

/// Null is as good as absent, but for nothing else.
impl<T: Read> Read for Option<T> {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        match value {
            Value::Null => Ok(None),
            value => T::read(value, key).map(Some),
        }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        let Value::Array(items) = value else {
            return Err(bad(key, "is no list; write its entries in brackets"));
        };
        let mut list = Self::new();
        for (index, item) in items.iter().enumerate() {
            list.push(T::read(item, &format!("{key}[{index}]"))?);
        }
        Ok(list)
    }
}
