//! The functions that expressions can call. All come from the standard library of the `cel` crate and its strings
//! extension.
//!
//! Functions on other types are not supported. Two functions on strings are not supported either: `matches`, because
//! regular expressions double the size of a WebAssembly module, and `format`, because the size of its result has no
//! bound that follows from its arguments.

use super::types::ValueType::{self, Bool, Int, String, Strings};

/// A function or macro of CEL.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// The correct usage, for error messages.
    pub(super) usage: &'static str,
    /// The overloads. A macro has none: the parser expands valid calls, so any remaining call of a macro is invalid.
    pub(super) overloads: &'static [Overload],
}

/// An overload of a function: the types of its arguments and its result.
pub(super) struct Overload {
    pub(super) receiver: Option<ValueType>,
    pub(super) required: &'static [ValueType],
    /// The type of an optional last argument.
    pub(super) optional: Option<ValueType>,
    pub(super) result: ValueType,
}

impl Overload {
    const fn method(
        receiver: ValueType,
        required: &'static [ValueType],
        result: ValueType,
    ) -> Self {
        Self {
            receiver: Some(receiver),
            required,
            optional: None,
            result,
        }
    }

    const fn function(required: &'static [ValueType], result: ValueType) -> Self {
        Self {
            receiver: None,
            required,
            optional: None,
            result,
        }
    }

    const fn with_optional(mut self, optional: ValueType) -> Self {
        self.optional = Some(optional);
        self
    }

    /// Returns whether a call with these types matches the overload.
    pub(super) fn accepts(&self, receiver: Option<ValueType>, arguments: &[ValueType]) -> bool {
        let rest = arguments.strip_prefix(self.required);
        let rest_is_accepted = match rest {
            Some([]) => true,
            Some([one]) => self.optional == Some(*one),
            Some(_) | None => false,
        };
        self.receiver == receiver && rest_is_accepted
    }
}

/// Finds the function `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Returns the names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

const FUNCTIONS: [Function; 16] = [
    Function {
        name: "contains",
        usage: "`<string>.contains(<string>)`",
        overloads: &[Overload::method(String, &[String], Bool)],
    },
    Function {
        name: "startsWith",
        usage: "`<string>.startsWith(<string>)`",
        overloads: &[Overload::method(String, &[String], Bool)],
    },
    Function {
        name: "endsWith",
        usage: "`<string>.endsWith(<string>)`",
        overloads: &[Overload::method(String, &[String], Bool)],
    },
    Function {
        name: "size",
        usage: "`size(<string or list>)` or `<string or list>.size()`",
        overloads: &[
            Overload::function(&[String], Int),
            Overload::function(&[Strings], Int),
            Overload::method(String, &[], Int),
            Overload::method(Strings, &[], Int),
        ],
    },
    Function {
        name: "lowerAscii",
        usage: "`<string>.lowerAscii()`",
        overloads: &[Overload::method(String, &[], String)],
    },
    Function {
        name: "trim",
        usage: "`<string>.trim()`",
        overloads: &[Overload::method(String, &[], String)],
    },
    Function {
        name: "replace",
        usage: "`<string>.replace(<string>, <string>)` or `<string>.replace(<string>, <string>, <int>)`",
        overloads: &[Overload::method(String, &[String, String], String).with_optional(Int)],
    },
    Function {
        name: "substring",
        usage: "`<string>.substring(<int>)` or `<string>.substring(<int>, <int>)`",
        overloads: &[Overload::method(String, &[Int], String).with_optional(Int)],
    },
    Function {
        name: "split",
        usage: "`<string>.split(<string>)` or `<string>.split(<string>, <int>)`",
        overloads: &[Overload::method(String, &[String], Strings).with_optional(Int)],
    },
    Function {
        name: "join",
        usage: "`<list>.join()` or `<list>.join(<string>)`",
        overloads: &[Overload::method(Strings, &[], String).with_optional(String)],
    },
    Function {
        name: "has",
        usage: "`has(<identity or user>.<field>)`",
        overloads: &[],
    },
    Function {
        name: "all",
        usage: "`<list>.all(<name>, <condition>)`",
        overloads: &[],
    },
    Function {
        name: "exists",
        usage: "`<list>.exists(<name>, <condition>)`",
        overloads: &[],
    },
    Function {
        name: "exists_one",
        usage: "`<list>.exists_one(<name>, <condition>)`",
        overloads: &[],
    },
    Function {
        name: "filter",
        usage: "`<list>.filter(<name>, <condition>)`",
        overloads: &[],
    },
    Function {
        name: "map",
        usage: "`<list>.map(<name>, <string>)`",
        overloads: &[],
    },
];
