//! The target for mappings: subjects, conditions, templates, expressions and validations.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::identity::Identity;
use ack_ram_core::kubernetes_user::KubernetesUser;
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{
    Backend, BackendRules, FieldSlot, Mapping, MappingField, MappingSpec, Precedence, Rule,
    RuleSet, Source, Validation, WildcardMode,
};

/// Returns the fields that have one line each, in the order of the lines: all fields except the groups.
pub(crate) fn line_fields() -> impl Iterator<Item = MappingField> {
    let fields = MappingField::ALL.iter().copied();
    fields.filter(|field| *field != MappingField::Groups)
}

/// Parses the input as lines: the ARN of an identity, the [`line_fields`], a validation, and any number of groups. An
/// empty line is a missing value. The line of a field that is a list contains its only item.
pub fn rules(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let arn = Arn::parse(next());
    let mut field = || {
        Some(next())
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let mut spec = MappingSpec::default();
    for name in line_fields() {
        match spec.slot(name) {
            FieldSlot::Text(text) => *text = field().unwrap_or_default(),
            FieldSlot::OptionalText(text) => *text = field(),
            FieldSlot::Texts(texts) => *texts = field().into_iter().collect(),
        }
    }
    let validation = field();
    spec.groups = lines.map(str::to_owned).collect();
    let source = Source {
        backend: Backend::Crd,
        position: "rule".to_owned(),
    };
    let written: Vec<String> = spec
        .groups
        .iter()
        .chain(&spec.groups_expression_may_add)
        .chain([&spec.username])
        .cloned()
        .collect();
    let mapping = Mapping {
        wildcards: WildcardMode::Enabled,
        ..Mapping::new(source, Precedence::ListIndex(0), spec)
    };
    let rule = match Rule::compile(mapping) {
        Ok(rule) => rule,
        Err(error) => return check_refusal(&error.to_string()),
    };
    let validations = match validation.map(|text| Validation::compile(&text, "no")) {
        Some(Err(error)) => return check_refusal(&error.to_string()),
        Some(Ok(validation)) => vec![validation],
        None => Vec::new(),
    };
    let account = match rule.subject() {
        Subject::Arn(arn) => Some(arn.account().clone()),
        Subject::Pattern(pattern) => Some(pattern.account().clone()),
        Subject::Id(_) | Subject::Anyone => None,
    };
    let mut rules = BackendRules::new(Backend::Crd);
    rules.apply(rule);
    let rules = RuleSet::new(vec![rules], []).with_validations(validations);
    let known_arns = ["acs:ram::1234567890123456:user/alice", "acs:ram::1:root"].map(Arn::parse);
    for arn in known_arns.into_iter().chain([arn]).flatten() {
        let identity = Identity {
            arn,
            user_id: "200000000000000001".into(),
            access_key_id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
        };
        let (explanation, result) = rules.explain(&identity);
        if explanation.matched.is_some() {
            assert!(
                account
                    .as_ref()
                    .is_none_or(|own| own == identity.account_id())
            );
        }
        if let Ok(user) = result {
            assert!(
                explanation.matched.is_some(),
                "no rule matches {}",
                identity.arn
            );
            check_user(&user, &written);
        }
        serde_json::to_string(&explanation).unwrap();
    }
}

fn check_user(user: &KubernetesUser, written: &[String]) {
    for name in user.groups.iter().chain([&user.username]) {
        assert!(
            !name.is_empty() && !name.contains(char::is_control),
            "{name:?}"
        );
        let is_reserved = |text: &str| text.trim_start().starts_with("system:");
        let is_written = || written.iter().any(|text| is_reserved(text));
        assert!(!is_reserved(name) || is_written(), "{name}");
    }
}

/// Checks the message of a refusal. It may quote any characters of the input.
fn check_refusal(message: &str) {
    assert!(!message.is_empty(), "the message is empty");
}
