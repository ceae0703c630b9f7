//! `explain`: shows step by step how a configuration maps an identity.

mod page;

use ack_ram_analysis::explain::{BackendOutcome, BackendTrace, Trace, trace};
use ack_ram_analysis::placeholder;
use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::identity::Identity;
use clap::{ArgGroup, Args};

use crate::authenticator::DecisionRecord;
use crate::cli::args::{self, Globals};
use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, OutputFormat};
use crate::cli::token_source::{self, TokenSource};
use crate::config::{
    self, CompiledRules, Config, ConfigSources, Diagnostic, DiagnosticCode, ExternalMappings,
    Overrides,
};

/// Show how an identity is mapped, and why
///
/// Takes an ARN or a token. For a token, asks STS who signed it, as `verify` does. Shows the result of each backend, the matching
/// rule, the rules that it outranks, the rules that nearly match, and the resulting user. This grants no access.
///
/// With an ARN, only the parts of the identity that you give are known. Rules for an ID that you do not give do not
/// match, and names contain `<session@name>`, `<user-id>` and `ACCESS-KEY-ID` in place of unknown values.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("who").required(true).args(["token", "arn", "named"]),
    after_long_help = "\
Examples:
  ack-ram-authenticator token -i ID | ack-ram-authenticator explain -c config.yaml --token -
  ack-ram-authenticator explain -c config.yaml acs:ram::1234567890123456:user/alice
  ack-ram-authenticator explain -c config.yaml --output json \\
      acs:ram::1234567890123456:assumed-role/Dev/alice

Exit codes:
  0  The identity is mapped to a user.
  1  The identity is not mapped, the configuration cannot be used, or STS did not answer.
  2  The command line is wrong."
)]
pub(in crate::cli) struct ExplainArgs {
    /// Token, or an ExecCredential that contains it; `-` reads it from standard input, hidden from other processes
    #[arg(long, short, value_name = "TOKEN", allow_hyphen_values = true)]
    token: Option<TokenSource>,

    /// ARN of the identity, as STS returns it or as a mapping names it
    #[arg(value_name = "ARN", value_parser = arn)]
    arn: Option<Arn>,

    /// ARN of the identity; the same as the argument
    #[arg(long = "arn", value_name = "ARN", value_parser = arn)]
    named: Option<Arn>,

    /// Immutable ID of the user or role
    #[arg(long, value_name = "ID", conflicts_with = "token")]
    user_id: Option<String>,

    /// ID of the access key that signed the token
    #[arg(long, value_name = "ID", conflicts_with = "token", value_parser = access_key_id)]
    access_key_id: Option<AccessKeyId>,

    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

impl ExplainArgs {
    fn arn(&self) -> Option<&Arn> {
        self.arn.as_ref().or(self.named.as_ref())
    }
}

fn arn(text: &str) -> Result<Arn, String> {
    Arn::parse(text).map_err(|error| error.to_string())
}

fn access_key_id(text: &str) -> Result<AccessKeyId, &'static str> {
    AccessKeyId::parse(text).ok_or("an access key ID has only letters, digits, `.`, `_` and `-`")
}

pub(super) fn run(args: &ExplainArgs, globals: &Globals) -> Result<(), CommandFailure> {
    if globals.config.is_none() {
        return Err(args::missing_argument(
            "`explain` needs a configuration; set --config",
        ));
    }
    let trace = match &args.token {
        Some(source) => explain_token(source, globals)?,
        // A cluster ID on the command line must be valid, although no token is compared with it.
        None if globals.cluster_id.is_some() => explain_arn(args, globals, config::load)?,
        None => explain_arn(args, globals, config::load_without_cluster)?,
    };
    output::print(&match args.output {
        OutputFormat::Json => output::json(&trace, "  ")?,
        OutputFormat::Text => page::text(&trace)?,
    })?;
    match trace.user {
        Some(_) => Ok(()),
        None => Err(CommandFailure::Negative),
    }
}

/// Explains the identity of a token. Calls STS.
fn explain_token(source: &TokenSource, globals: &Globals) -> Result<Trace, CommandFailure> {
    let (config, compiled) = load_rules(globals, config::load)?;
    let token = source.read()?;
    let verified = token_source::resolve_identity(config.policy.clone(), &config.sts, &token)?;
    Ok(match verified {
        Ok(identified) => {
            let identity = identified.identity.identity();
            trace(&config, &ExternalMappings::new(), &compiled, identity)
        }
        Err(decided) => trace_unidentified(&compiled, *decided),
    })
}

/// Explains an identity that STS has returned for a token of the cluster.
pub(in crate::cli::commands) fn explain_identity(
    identity: &Identity,
    globals: &Globals,
) -> Result<Trace, CommandFailure> {
    let (config, compiled) = load_rules(globals, config::load_without_cluster)?;
    Ok(trace(
        &config,
        &ExternalMappings::new(),
        &compiled,
        identity,
    ))
}

/// Returns a trace as text, without the identity.
pub(in crate::cli::commands) fn mapping_text(trace: &Trace) -> Result<String, CommandFailure> {
    page::mapping_text(trace)
}

/// Explains the identity that the ARN and the options give.
fn explain_arn<P>(
    args: &ExplainArgs,
    globals: &Globals,
    load: impl FnOnce(&ConfigSources<'_>) -> Result<Config<P>, Diagnostic>,
) -> Result<Trace, CommandFailure> {
    let (config, compiled) = load_rules(globals, load)?;
    let sample = args.arn().cloned().and_then(placeholder::identity_for_arn);
    let sample = sample.ok_or_else(|| args::missing_argument("set --token or an ARN"))?;
    let identity = Identity {
        arn: sample.arn,
        user_id: match &args.user_id {
            Some(id) => id.as_str().into(),
            None => sample.user_id,
        },
        access_key_id: args.access_key_id.clone().unwrap_or(sample.access_key_id),
    };
    Ok(trace(
        &config,
        &ExternalMappings::new(),
        &compiled,
        &identity,
    ))
}

/// Loads the configuration and compiles its rules.
fn load_rules<P>(
    globals: &Globals,
    load: impl FnOnce(&ConfigSources<'_>) -> Result<Config<P>, Diagnostic>,
) -> Result<(Config<P>, CompiledRules), CommandFailure> {
    let config = globals.configuration(load, Overrides::default())?;
    let compiled = config::compile(&config);
    warn_of_omitted_rules(&config, &compiled);
    Ok((config, compiled))
}

/// Logs the entries that are left out, since they may explain an unexpected result. `lint` reports everything else.
pub(super) fn warn_of_omitted_rules<P>(config: &Config<P>, compiled: &CompiledRules) {
    for warning in &config.warnings {
        if warning.code == DiagnosticCode::InvalidEntry {
            tracing::warn!("{}", warning.warning_text());
        }
    }
    for (source, error) in &compiled.refused {
        tracing::warn!("{source} was left out: {error}");
    }
}

fn trace_unidentified(compiled: &CompiledRules, decided: DecisionRecord) -> Trace {
    let backends = compiled.rules.backends().iter().map(|rules| BackendTrace {
        backend: rules.backend(),
        rules: rules.len(),
        answer: BackendOutcome::NotAsked,
    });
    Trace {
        code: decided.decision.code(),
        backends: backends.collect(),
        reason: decided.reason().or_else(|| {
            Some("the token is not an ack-ram-authenticator token; see `inspect`".to_owned())
        }),
        explanation: decided.decision.into_parts().1,
        rule: None,
        user: None,
    }
}
