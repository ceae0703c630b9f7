//! Findings of lint: `tests/vectors/lint.json` contains configurations with their expected findings.

use std::collections::BTreeSet;

use ack_ram_analysis::lint::{
    AccountEntry, BackendEntries, GoSemantics, LintInput, MappingEntry, lint,
};
use ack_ram_config::{Diagnostic, DiagnosticCode, Location, Position, Severity};
use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{
    Backend, Mapping, Precedence, ReservedPrefixes, SessionArnMode, Source, Validation,
    WildcardMode,
};
use ack_ram_core_wasm::MappingInput;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    validations: Vec<ValidationInput>,
    backends: Vec<BackendInput>,
    #[serde(default)]
    serves_proxies: bool,
    /// `<severity> <code> <position>`, followed by a colon and a part of the message.
    findings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidationInput {
    expression: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BackendInput {
    backend: Backend,
    #[serde(default = "default_true")]
    is_read: bool,
    #[serde(default)]
    mappings: Vec<LintedMapping>,
    #[serde(default)]
    accounts: Vec<String>,
    #[serde(default)]
    reserved_usernames: Vec<Box<str>>,
    #[serde(default)]
    reserved_groups: Vec<Box<str>>,
}

fn default_true() -> bool {
    true
}

/// A mapping in the form of the input of a login, and `inGo`.
#[derive(Deserialize)]
#[serde(try_from = "Map<String, Value>")]
struct LintedMapping {
    input: MappingInput,
    in_go: Option<String>,
}

impl TryFrom<Map<String, Value>> for LintedMapping {
    type Error = serde_json::Error;

    fn try_from(mut members: Map<String, Value>) -> Result<Self, Self::Error> {
        let in_go = members.remove("inGo").unwrap_or_default();
        Ok(Self {
            in_go: serde_json::from_value(in_go)?,
            input: serde_json::from_value(Value::Object(members))?,
        })
    }
}

#[test]
fn lint_vectors_get_exactly_expected_findings() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/lint.json")).unwrap();
    assert!(vectors.cases.len() >= 130);
    let mut reported_codes = BTreeSet::new();
    let mut texts = String::new();
    for case in &vectors.cases {
        texts += &format!("# {}\n", case.name);
        let findings = check(case);
        for finding in &findings {
            texts += &serde_json::to_string(finding).unwrap();
            texts.push('\n');
        }
        reported_codes.extend(findings.into_iter().map(|finding| finding.code.as_str()));
    }
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("findings", texts);
    });
    let unreported = DiagnosticCode::ALL
        .iter()
        .filter(|code| !reported_codes.contains(code.as_str()));
    let found_by_host = [
        "unreadable",
        "invalid-setting",
        "no-cluster-id",
        "unknown-key",
        "empty-list",
        "text-for-list",
        "numeric-account",
        "invalid-entry",
        "bind-wins",
        "groups-unjoined",
        "unusable-file",
        "environment",
        "cannot-listen",
        "certificate",
        "exposed-file",
        "no-client-certificate",
        "not-in-cluster",
    ];
    let unreported: Vec<&str> = unreported.map(|code| code.as_str()).collect();
    assert_eq!(unreported, found_by_host);
}

/// Checks the findings of `case`, and returns them.
fn check(case: &Case) -> Vec<Diagnostic> {
    let findings = lint(&configuration(case));
    let reported: Vec<String> = findings
        .iter()
        .map(|finding| {
            let Diagnostic {
                code,
                severity,
                location,
                ..
            } = finding;
            format!("{severity} {code} {location}")
        })
        .collect();
    let split = |line: &String| -> (String, String) {
        let (head, part) = line.split_once(": ").unwrap_or((line, ""));
        (head.to_owned(), part.to_owned())
    };
    let expected: Vec<(String, String)> = case.findings.iter().map(split).collect();
    let heads: Vec<&String> = expected.iter().map(|(head, _)| head).collect();
    let name = &case.name;
    assert_eq!(
        reported.iter().collect::<Vec<_>>(),
        heads,
        "{name}: {findings:#?}"
    );
    for (finding, (_, part)) in findings.iter().zip(&expected) {
        let message = &finding.message;
        assert!(message.contains(part), "{name}: {message}");
        assert!(!finding.help.is_empty(), "{name}: {message}");
    }
    findings
}

fn configuration(case: &Case) -> LintInput {
    LintInput {
        location: location("config"),
        backends: case.backends.iter().map(backend).collect(),
        validations: case
            .validations
            .iter()
            .map(|input| Validation::compile(&input.expression, &input.message).unwrap())
            .collect(),
        serves_proxies: case.serves_proxies,
        host_findings: Vec::new(),
    }
}

fn backend(input: &BackendInput) -> BackendEntries {
    let prefix = match input.backend {
        Backend::MountedFile => String::new(),
        other => format!("{other} "),
    };
    let mappings = input.mappings.iter().enumerate().map(|(place, mapping)| {
        let name = format!("mappings[{place}]");
        MappingEntry {
            location: location(&format!("{prefix}{name}")),
            go_semantics: match (mapping.in_go.as_deref(), input.backend) {
                (Some("unread"), _) => GoSemantics::Unsupported,
                (Some(other), _) => panic!("{other}"),
                (None, Backend::Crd) => GoSemantics::Regex,
                (None, _) => GoSemantics::Literal,
            },
            mapping: build_mapping(&mapping.input, input.backend, name, place),
        }
    });
    let accounts = input
        .accounts
        .iter()
        .enumerate()
        .map(|(place, account)| AccountEntry {
            account: AccountId::parse(account).unwrap(),
            location: location(&format!("{prefix}accounts[{place}]")),
        });
    BackendEntries {
        backend: input.backend,
        is_known: input.is_read,
        mappings: mappings.collect(),
        accounts: accounts.collect(),
        reserved: ReservedPrefixes {
            usernames: input.reserved_usernames.clone(),
            groups: input.reserved_groups.clone(),
        },
    }
}

fn build_mapping(
    input: &MappingInput,
    backend: Backend,
    position: String,
    place: usize,
) -> Mapping {
    let source = Source { backend, position };
    Mapping {
        wildcards: if input.globs || backend == Backend::Crd {
            WildcardMode::Enabled
        } else {
            WildcardMode::Disabled
        },
        session_arn_mode: if backend == Backend::Crd {
            SessionArnMode::AsRole
        } else {
            SessionArnMode::Refused
        },
        ..Mapping::new(source, Precedence::ListIndex(place), input.spec.clone())
    }
}

fn location(entry: &str) -> Location {
    Location::default().with_entry(entry)
}

#[test]
fn host_findings_are_sorted_among_others() {
    let finding = |line, column| Diagnostic {
        code: DiagnosticCode::UnknownKey,
        severity: Severity::Error,
        location: Location::in_file("c.yaml", Position { line, column }),
        message: "unknown".to_owned(),
        help: "remove it".to_owned(),
    };
    let configuration = LintInput {
        host_findings: vec![finding(10, 1), finding(2, 11), finding(2, 3)],
        ..LintInput::default()
    };
    let places: Vec<String> = lint(&configuration)
        .iter()
        .map(|finding| format!("{} {}", finding.code, finding.location))
        .collect();
    assert_eq!(
        places,
        [
            "nobody-mapped ",
            "unknown-key c.yaml:2:3",
            "unknown-key c.yaml:2:11",
            "unknown-key c.yaml:10:1",
        ]
    );
}

#[test]
fn empty_group_list_is_reported_once() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/lint.json")).unwrap();
    let case = vectors.cases.iter().find(|case| case.name == "no groups");
    let configuration = configuration(case.unwrap());
    let codes = |entry: &str| -> Vec<&str> {
        let finding = Diagnostic {
            code: DiagnosticCode::EmptyList,
            severity: Severity::Error,
            location: location(entry),
            message: "`groups` has no value".to_owned(),
            help: "write `[]`".to_owned(),
        };
        let with_finding = LintInput {
            host_findings: vec![finding],
            ..configuration.clone()
        };
        let codes = lint(&with_finding);
        codes.iter().map(|finding| finding.code.as_str()).collect()
    };
    assert_eq!(codes("mappings[0]"), ["empty-list"]);
    assert_eq!(codes("mappings[1]"), ["no-groups", "empty-list"]);
}
