//! The functions that expressions may call, all from the crate's standard library and its strings extension.
//!
//! Left out are those of other types, and of strings: `matches`, whose regular expressions double a WebAssembly
//! module, and `format`, whose results have no bound that can be told from its arguments.

use super::types::Type::{self, Bool, Int, String, Strings};

/// A function, or a macro of CEL.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// For people who used it otherwise.
    pub(super) usage: &'static str,
    /// The ways to call it; a macro is none that a call could be checked against.
    pub(super) forms: &'static [Form],
}

/// One way to call a function.
pub(super) struct Form {
    pub(super) receiver: Option<Type>,
    pub(super) required: &'static [Type],
    /// One more argument, which may be there.
    pub(super) optional: Option<Type>,
    pub(super) result: Type,
}

impl Form {
    const fn on(receiver: Type, required: &'static [Type], result: Type) -> Self {
        Self {
            receiver: Some(receiver),
            required,
            optional: None,
            result,
        }
    }

    const fn of(required: &'static [Type], result: Type) -> Self {
        Self {
            receiver: None,
            required,
            optional: None,
            result,
        }
    }

    const fn or(mut self, optional: Type) -> Self {
        self.optional = Some(optional);
        self
    }

    /// Whether it can be called so.
    pub(super) fn takes(&self, receiver: Option<Type>, arguments: &[Type]) -> bool {
        let rest = arguments.strip_prefix(self.required);
        let rest_is_taken = match rest {
            Some([]) => true,
            Some([one]) => self.optional == Some(*one),
            Some(_) | None => false,
        };
        self.receiver == receiver && rest_is_taken
    }
}

/// The function `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

const FUNCTIONS: [Function; 16] = [
    Function {
        name: "contains",
        usage: "`<string>.contains(<string>)`",
        forms: &[Form::on(String, &[String], Bool)],
    },
    Function {
        name: "startsWith",
        usage: "`<string>.startsWith(<string>)`",
        forms: &[Form::on(String, &[String], Bool)],
    },
    Function {
        name: "endsWith",
        usage: "`<string>.endsWith(<string>)`",
        forms: &[Form::on(String, &[String], Bool)],
    },
    Function {
        name: "size",
        usage: "`size(<string or list>)` or `<string or list>.size()`",
        forms: &[
            Form::of(&[String], Int),
            Form::of(&[Strings], Int),
            Form::on(String, &[], Int),
            Form::on(Strings, &[], Int),
        ],
    },
    Function {
        name: "lowerAscii",
        usage: "`<string>.lowerAscii()`",
        forms: &[Form::on(String, &[], String)],
    },
    Function {
        name: "trim",
        usage: "`<string>.trim()`",
        forms: &[Form::on(String, &[], String)],
    },
    Function {
        name: "replace",
        usage: "`<string>.replace(<string>, <string>)`, perhaps with how many times",
        forms: &[Form::on(String, &[String, String], String).or(Int)],
    },
    Function {
        name: "substring",
        usage: "`<string>.substring(<int>)` or `<string>.substring(<int>, <int>)`",
        forms: &[Form::on(String, &[Int], String).or(Int)],
    },
    Function {
        name: "split",
        usage: "`<string>.split(<string>)`, perhaps with into how many parts",
        forms: &[Form::on(String, &[String], Strings).or(Int)],
    },
    Function {
        name: "join",
        usage: "`<list>.join()` or `<list>.join(<string>)`",
        forms: &[Form::on(Strings, &[], String).or(String)],
    },
    Function {
        name: "has",
        usage: "`has(<identity or user>.<field>)`",
        forms: &[],
    },
    Function {
        name: "all",
        usage: "`<list>.all(<name>, <condition>)`",
        forms: &[],
    },
    Function {
        name: "exists",
        usage: "`<list>.exists(<name>, <condition>)`",
        forms: &[],
    },
    Function {
        name: "exists_one",
        usage: "`<list>.exists_one(<name>, <condition>)`",
        forms: &[],
    },
    Function {
        name: "filter",
        usage: "`<list>.filter(<name>, <condition>)`",
        forms: &[],
    },
    Function {
        name: "map",
        usage: "`<list>.map(<name>, <string>)`",
        forms: &[],
    },
];
