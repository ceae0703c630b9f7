//! Rendered names never exceed what their rule allows.

use ack_ram_core::identity::Identity;
use ack_ram_core::rules::template::{RenderError, Template, TemplateError, TemplateVariable};
use ack_ram_core::rules::{Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source};
use proptest::prelude::*;
use proptest::sample::select;

use crate::inputs::{Person, account, identity};
use crate::{CASES, cases};

proptest! {
    #![proptest_config(cases(4 * CASES))]

    #[test]
    fn rendered_name_is_never_empty_unprintable_or_reserved(pieces in pieces(), identity in identity()) {
        let text: String = pieces.iter().map(Piece::source).collect();
        match Template::parse(&text) {
            Ok(template) => check_rendered(&text, &template, &pieces, &identity)?,
            Err(TemplateError::Empty) => prop_assert!(text.is_empty()),
            Err(TemplateError::ControlCharacter) => prop_assert!(text.contains(char::is_control)),
            Err(TemplateError::ReservedWithCallerVariable(_)) => {
                prop_assert!(is_reserved(&text) && text.contains("{{SessionName"));
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }

    #[test]
    fn arbitrary_text_is_template_or_error(text in "[{}a-z:]{0,40}|\\PC{0,40}", identity in identity()) {
        if let Ok(name) = Template::parse(&text).map(|template| template.render(&identity)) {
            prop_assert!(!text.contains("{{") || TemplateVariable::ALL.iter().any(|(variable, _)| text.contains(variable)));
            prop_assert!(text.contains("{{") || name == Ok(text));
        }
    }

    #[test]
    fn session_name_cannot_render_system_username(session in reserved_session(), account in account()) {
        let expression = "'system' + ':' + identity.sessionName";
        let listed = "system:listed";
        let rules = rule_of(&account, |mapping| {
            mapping.spec.username_expression = Some(expression.to_owned());
            mapping.spec.username = listed.to_owned();
        });
        let verified = Person::Session { role: "dev".to_owned(), session: session.clone() }.verify(&account, "1");
        let expected = if session == "listed" { "granted" } else { "name_refused" };
        prop_assert_eq!(verified.decide(&rules).code(), expected);
    }

    #[test]
    fn session_name_cannot_join_system_groups(session in reserved_session(), account in account()) {
        let rules = rule_of(&account, |mapping| {
            mapping.spec.groups_expression_may_add = vec!["system:listed".to_owned()];
            mapping.spec.groups_expression = Some("['system:' + identity.sessionName]".to_owned());
        });
        let verified = Person::Session { role: "dev".to_owned(), session: session.clone() }.verify(&account, "1");
        let expected = if session == "listed" { "granted" } else { "name_refused" };
        prop_assert_eq!(verified.decide(&rules).code(), expected);
    }
}

fn check_rendered(
    text: &str,
    template: &Template,
    pieces: &[Piece],
    identity: &Identity,
) -> Result<(), TestCaseError> {
    let expected: String = pieces.iter().map(|piece| piece.value(identity)).collect();
    let is_allowed = is_reserved(text);
    match template.render(identity) {
        Ok(name) => {
            prop_assert_eq!(&name, &expected);
            prop_assert!(!name.is_empty() && !name.contains(char::is_control));
            prop_assert!(!is_reserved(&name) || is_allowed);
        }
        Err(RenderError::Empty) => prop_assert_eq!(expected, ""),
        Err(RenderError::Reserved) => {
            prop_assert!(is_reserved(&expected) && !is_allowed);
        }
        Err(RenderError::ControlCharacter) => {
            return Err(TestCaseError::fail("no identity has control characters"));
        }
    }
    Ok(())
}

/// Returns whether `name` starts with `system:`, with or without leading spaces.
fn is_reserved(name: &str) -> bool {
    name.trim_start().starts_with("system:")
}

/// A part of a template with a known value.
#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Variable(&'static str, TemplateVariable),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let literal = prop_oneof![
        select(vec![
            "system:", "system", ":", "sys", "tem:", "-", " ", "\u{3000}", "\u{85}", "\n"
        ])
        .prop_map(str::to_owned),
        "[^{}]{0,8}",
    ];
    let piece = prop_oneof![
        literal.prop_map(Piece::Literal),
        select(TemplateVariable::ALL.to_vec())
            .prop_map(|(name, variable)| Piece::Variable(name, variable)),
    ];
    prop::collection::vec(piece, 0..5)
}

impl Piece {
    fn source(&self) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Variable(name, _) => format!("{{{{{name}}}}}"),
        }
    }

    fn value(&self, identity: &Identity) -> String {
        let arn = identity.arn.canonical().to_string();
        let name_after = |kind| arn.split_once(kind).map_or("", |(_, name)| name);
        match self {
            Self::Literal(text) => text.clone(),
            Self::Variable(_, variable) => match variable {
                TemplateVariable::AccountId => identity.account_id().to_string(),
                TemplateVariable::SessionName => identity.session_name().replace('@', "-"),
                TemplateVariable::SessionNameRaw => identity.session_name().to_owned(),
                TemplateVariable::AccessKeyId => identity.access_key_id.to_string(),
                TemplateVariable::UserId => identity.user_id.to_string(),
                TemplateVariable::RoleName => name_after(":role/").to_owned(),
                TemplateVariable::UserName => name_after(":user/").to_owned(),
            },
        }
    }
}

fn reserved_session() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "masters",
            "nodes",
            "listed",
            "Listed",
            "listed2",
            "kube-controller-manager"
        ])
        .prop_map(str::to_owned),
        crate::inputs::segment(),
    ]
}

fn rule_of(account: &str, change: impl FnOnce(&mut Mapping)) -> RuleSet {
    let source = Source {
        backend: Backend::Crd,
        position: "rule".to_owned(),
    };
    let arn = format!("acs:ram::{account}:role/dev");
    let mut mapping = Mapping::for_arn(source, Precedence::ListIndex(0), &arn, "dev", Vec::new());
    change(&mut mapping);
    let mut rules = BackendRules::new(Backend::Crd);
    rules.apply(Rule::compile(mapping).unwrap());
    RuleSet::new(vec![rules], [])
}
