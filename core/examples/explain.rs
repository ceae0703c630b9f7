//! Explains how identities are mapped, without a token and without STS.
//!
//! Run it with `cargo run -p ack-ram-core --example explain`. It prints:
//!
//! ```text
//! acs:ram::123:assumed-role/dev-web/alice
//!   user dev:alice, groups ["developers"]
//!   matched: MountedFile server.mapRoles[0]
//! acs:ram::123:assumed-role/dev-db/alice
//!   user database:alice, groups ["databases"]
//!   matched: MountedFile server.mapRoles[1]
//!   outranked: MountedFile server.mapRoles[0]
//! acs:ram::456:assumed-role/dev-db/alice
//!   refused: not_mapped
//!   near miss: MountedFile server.mapRoles[1] for acs:ram::123:role/dev-db
//! ```

use std::error::Error;
use std::io::{self, Write};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::identity::Identity;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, MappingSpec, Precedence, Rule, RuleSet, RulesError, Source,
};

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout().lock())
}

/// Writes what the program prints to `out`.
pub(crate) fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let rules = rules()?;
    for arn in [
        "acs:ram::123:assumed-role/dev-web/alice",
        "acs:ram::123:assumed-role/dev-db/alice",
        "acs:ram::456:assumed-role/dev-db/alice",
    ] {
        let identity = Identity {
            arn: Arn::parse(arn)?,
            user_id: "300".into(),
            access_key_id: AccessKeyId::parse("STS.N1").ok_or("not an access key ID")?,
        };
        let (explanation, result) = rules.explain(&identity);
        writeln!(out, "{arn}")?;
        match result {
            Ok(user) => writeln!(out, "  user {}, groups {:?}", user.username, user.groups)?,
            Err(RulesError::Refused(refusal)) => writeln!(out, "  refused: {}", refusal.code())?,
            Err(RulesError::Unavailable(reason)) => {
                writeln!(out, "  no answer: {}", reason.code())?
            }
        }
        if let Some(entry) = &explanation.matched {
            writeln!(out, "  matched: {entry}")?;
        }
        for source in &explanation.outranked {
            writeln!(out, "  outranked: {source}")?;
        }
        for miss in &explanation.near_misses {
            writeln!(out, "  near miss: {} for {}", miss.rule, miss.subject)?;
        }
    }
    Ok(())
}

/// Returns a rule for one role, and a rule for all roles whose names start with `dev-`.
fn rules() -> Result<RuleSet, Box<dyn Error>> {
    let exact = MappingSpec {
        arn: "acs:ram::123:role/dev-db".to_owned(),
        username: "database:{{SessionName}}".to_owned(),
        groups: vec!["databases".to_owned()],
        ..MappingSpec::default()
    };
    let pattern = MappingSpec {
        arn_pattern: Some("acs:ram::123:role/dev-*".to_owned()),
        username: "dev:{{SessionName}}".to_owned(),
        groups: vec!["developers".to_owned()],
        ..MappingSpec::default()
    };
    let mut rules = BackendRules::new(Backend::MountedFile);
    for (index, spec) in [pattern, exact].into_iter().enumerate() {
        let source = Source {
            backend: Backend::MountedFile,
            position: format!("server.mapRoles[{index}]"),
        };
        let mapping = Mapping::new(source, Precedence::ListIndex(index), spec);
        rules.apply(Rule::compile(mapping)?);
    }
    Ok(RuleSet::new(vec![rules], []))
}
