//! Tests of the public items of this module.

mod backend_rules;
#[cfg(feature = "cel")]
mod expressions;
mod mappings;
mod near_misses;
mod patterns;
mod rule_set;

use crate::access_key::AccessKeyId;
use crate::arn::Arn;
use crate::identity::Identity;
use crate::rules::{Backend, Mapping, MappingSpec, Precedence, Rule, Source, WildcardMode};

fn identity(arn: &str) -> Identity {
    Identity {
        arn: Arn::parse(arn).unwrap(),
        user_id: "200000000000000001".into(),
        access_key_id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
    }
}

/// Returns a mapping of `arn`, which may be a pattern, to the user `u`.
fn mapping(backend: Backend, position: &str, arn: &str) -> Mapping {
    let source = Source {
        backend,
        position: position.to_owned(),
    };
    Mapping {
        wildcards: WildcardMode::Enabled,
        ..Mapping::for_arn(source, Precedence::ListIndex(0), arn, "u", Vec::new())
    }
}

/// Returns `mapping` after `edit` has changed its fields.
fn edited(mut mapping: Mapping, edit: impl FnOnce(&mut MappingSpec)) -> Mapping {
    edit(&mut mapping.spec);
    mapping
}

fn rule(backend: Backend, position: &str, arn: &str) -> Rule {
    Rule::compile(mapping(backend, position, arn)).unwrap()
}
