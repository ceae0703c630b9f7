//! `explain`: what a configuration makes of somebody, step by step.

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

/// Show what a configuration makes of an identity, and why
///
/// The identity is that of a token, which STS is asked about as in `verify`, or is given by hand. All is told: backend
/// by backend, the rule that answers, rules that it outranks, rules that nearly fit, and the user that results. Nobody
/// is let in by it.
///
/// Of an identity given by hand, what is not given is unknown: rules about another id do not match, and names show
/// `<session@name>`, `<user-id>` and `ACCESS-KEY-ID`.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("who").required(true).args(["token", "arn", "named"]),
    after_long_help = "\
Examples:
  ack-ram-authenticator token -i ID | ack-ram-authenticator explain -c config.yaml --token -
  ack-ram-authenticator explain -c config.yaml acs:ram::1234567890123456:user/alice
  ack-ram-authenticator explain -c config.yaml acs:ram::1234567890123456:assumed-role/Dev/alice -o json

Exit codes:
  0  the identity is mapped to a user
  1  it is not, or the configuration cannot be used, or STS cannot be asked
  2  wrong usage"
)]
pub(in crate::cli) struct ExplainArgs {
    /// The token, or the ExecCredential with it; `-` reads it from standard input, where no other process sees it
    #[arg(long, short, value_name = "TOKEN", allow_hyphen_values = true)]
    token: Option<TokenSource>,

    /// The ARN, as STS gives it or as mappings name it
    #[arg(value_name = "ARN", value_parser = arn)]
    arn: Option<Arn>,

    /// The same
    #[arg(long = "arn", value_name = "ARN", value_parser = arn)]
    named: Option<Arn>,

    /// The immutable id of the user or role
    #[arg(long, value_name = "ID", conflicts_with = "token")]
    user_id: Option<String>,

    /// The id of the key that signs
    #[arg(long, value_name = "ID", conflicts_with = "token", value_parser = access_key_id)]
    access_key_id: Option<AccessKeyId>,

    /// The form of what is printed
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
    AccessKeyId::parse(text).ok_or("an access key id is letters, digits, `.`, `_` and `-`")
}

pub(super) fn run(args: &ExplainArgs, globals: &Globals) -> Result<(), CommandFailure> {
    if globals.config.is_none() {
        return Err(args::missing_argument(
            "`explain` needs a configuration: give --config",
        ));
    }
    let trace = match &args.token {
        Some(source) => explain_token(source, globals)?,
        // A cluster id that is given is checked, although no token is.
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

/// Explains the identity of a token, which STS is asked about.
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

/// Explains an identity given by hand.
fn explain_arn<P>(
    args: &ExplainArgs,
    globals: &Globals,
    load: impl FnOnce(&ConfigSources<'_>) -> Result<Config<P>, Diagnostic>,
) -> Result<Trace, CommandFailure> {
    let (config, compiled) = load_rules(globals, load)?;
    let sample = args.arn().cloned().and_then(placeholder::identity_for_arn);
    let sample = sample.ok_or_else(|| args::missing_argument("give --token or an ARN"))?;
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

/// Reads the configuration and compiles its rules.
fn load_rules<P>(
    globals: &Globals,
    load: impl FnOnce(&ConfigSources<'_>) -> Result<Config<P>, Diagnostic>,
) -> Result<(Config<P>, CompiledRules), CommandFailure> {
    let config = globals.configuration(load, Overrides::default())?;
    let compiled = config::compile(&config);
    warn_of_omitted_rules(&config, &compiled);
    Ok((config, compiled))
}

/// Entries that are left out may be the reason for what is not as expected; what else is odd is for `lint`.
pub(super) fn warn_of_omitted_rules<P>(config: &Config<P>, compiled: &CompiledRules) {
    for warning in &config.warnings {
        if warning.code == DiagnosticCode::InvalidEntry {
            tracing::warn!("{}", warning.warning_text());
        }
    }
    for (source, error) in &compiled.refused {
        tracing::warn!("{source} is left out: {error}");
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
            Some("the token is none of ack-ram-authenticator's; see `inspect`".to_owned())
        }),
        explanation: decided.decision.into_parts().1,
        rule: None,
        user: None,
    }
}
