//! The rules playground: how configurations map an identity.

use ack_ram_analysis::bundle::{self, Bundle};
use ack_ram_analysis::compiled_config::CompiledConfig;
use ack_ram_analysis::diff::Diff;
use ack_ram_analysis::explain::Trace;
use ack_ram_analysis::findings::LintReport;
use ack_ram_analysis::placeholder;
use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::identity::Identity;
use ack_ram_core::rules::{Backend, Explanation};
use serde::{Deserialize, Serialize};

use crate::{InputError, json_to_json};

/// The maximum length of a configuration, in bytes. Longer configurations need the commands.
const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// The maximum number of ARNs that the page suggests.
const MAX_NAMED_ARNS: usize = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlaygroundInput {
    /// The current configuration.
    old: String,
    /// The new configuration, if it is not empty.
    #[serde(default)]
    new: String,
    /// The ARN to explain, if it is not empty.
    #[serde(default)]
    arn: String,
    #[serde(default)]
    user_id: String,
    #[serde(default)]
    access_key_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlaygroundOutput {
    /// The reason that the identity is not valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_error: Option<InputError>,
    old: ConfigReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<ConfigReport>,
    /// The output of `diff -o json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Diff>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigReport {
    /// The reason that the configuration is not valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The output of `explain -o json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Trace>,
    /// The lists of the trace as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<TraceTexts>,
    /// The output of `lint -o json`.
    report: LintReport,
    /// Backends that have a document but are not in `server.backendMode`.
    not_asked: Vec<Backend>,
    /// ARNs that the configuration names.
    named: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TraceTexts {
    passed_over: Vec<String>,
    outranked: Vec<String>,
    near_misses: Vec<String>,
}

impl TraceTexts {
    fn from_explanation(explanation: &Explanation) -> Self {
        fn texts<T: ToString>(list: &[T]) -> Vec<String> {
            list.iter().map(T::to_string).collect()
        }
        Self {
            passed_over: texts(&explanation.skipped_rules),
            outranked: texts(&explanation.outranked),
            near_misses: texts(&explanation.near_misses),
        }
    }
}

/// Explains, checks and compares one or two configurations. Takes `PlaygroundInput` as JSON and returns
/// `PlaygroundOutput` as JSON. Messages call the configurations `config.yaml` and `new.yaml`.
#[must_use]
pub fn run_playground(input: &str) -> String {
    json_to_json(input, evaluate)
}

fn evaluate(input: PlaygroundInput) -> Result<PlaygroundOutput, InputError> {
    for text in [&input.old, &input.new] {
        if text.len() > MAX_TEXT_BYTES {
            return Err(InputError::new(
                "tooLarge",
                format!(
                    "the input is longer than {MAX_TEXT_BYTES} bytes; use the commands `lint` and `diff`"
                ),
            ));
        }
    }
    let (identity, identity_error) = match identity(&input) {
        Ok(identity) => (identity, None),
        Err(error) => (None, Some(error)),
    };
    let old = parse_bundle("config.yaml", &input.old);
    let new = (!input.new.trim().is_empty()).then(|| parse_bundle("new.yaml", &input.new));
    let diff = match (&old, &new) {
        (Ok(old), Some(Ok(new))) => match (&old.compiled, &new.compiled) {
            (Ok(old), Ok(new)) => Some(old.compare(new)),
            _ => None,
        },
        _ => None,
    };
    let identity = identity.as_ref();
    Ok(PlaygroundOutput {
        identity_error,
        old: config_report(old, identity),
        new: new.map(|new| config_report(new, identity)),
        diff,
    })
}

fn parse_bundle(name: &str, text: &str) -> Result<Bundle, String> {
    bundle::read_bundle(name, text).map_err(|error| error.to_string())
}

/// Builds the identity as `explain --arn` does, with placeholders for values that are not given. Returns `None` if there
/// is no ARN.
fn identity(input: &PlaygroundInput) -> Result<Option<Identity>, InputError> {
    let arn = input.arn.trim();
    if arn.is_empty() {
        return Ok(None);
    }
    let arn_error = |text: String| InputError::new("arn", text);
    let arn = Arn::parse(arn).map_err(|error| arn_error(error.to_string()))?;
    let default = placeholder::identity_for_arn(arn)
        .ok_or_else(|| arn_error("no identity can have this ARN".to_owned()))?;
    let access_key_id = match input.access_key_id.trim() {
        "" => default.access_key_id,
        id => AccessKeyId::parse(id).ok_or_else(|| {
            let text = "an access key ID consists of letters, digits, `.`, `_` and `-`";
            InputError::new("accessKeyId", text)
        })?,
    };
    Ok(Some(Identity {
        arn: default.arn,
        user_id: match input.user_id.trim() {
            "" => default.user_id,
            id => id.into(),
        },
        access_key_id,
    }))
}

fn config_report(bundle: Result<Bundle, String>, identity: Option<&Identity>) -> ConfigReport {
    let bundle = match bundle {
        Ok(bundle) => bundle,
        Err(error) => return ConfigReport::invalid(error),
    };
    let report = LintReport::new(bundle.findings);
    match bundle.compiled {
        Ok(config) => {
            let trace = identity.map(|identity| config.explain(identity));
            ConfigReport {
                error: None,
                words: trace
                    .as_ref()
                    .map(|trace| TraceTexts::from_explanation(&trace.explanation)),
                trace,
                report,
                not_asked: bundle.unused_backends,
                named: named_arns(&config),
            }
        }
        Err(error) => ConfigReport {
            report,
            ..ConfigReport::invalid(error.to_string())
        },
    }
}

impl ConfigReport {
    fn invalid(error: String) -> Self {
        Self {
            error: Some(error),
            trace: None,
            words: None,
            report: LintReport::new(Vec::new()),
            not_asked: Vec::new(),
            named: Vec::new(),
        }
    }
}

fn named_arns(config: &CompiledConfig) -> Vec<String> {
    let arns = config
        .mappings()
        .into_iter()
        .map(|mapping| &mapping.spec.arn);
    let is_exact = |arn: &&String| Arn::parse(arn).is_ok();
    arns.filter(is_exact)
        .take(MAX_NAMED_ARNS)
        .cloned()
        .collect()
}
