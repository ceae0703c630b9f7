//! `inspect`: shows the contents of a token and checks the token offline.

use std::fmt::Write as _;

use ack_ram_analysis::inspect::{self, Check, CheckStatus, Contents, Inspection};
use clap::Args;

use crate::cli::args::Globals;
use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, DIM, ERROR, HEADING, OutputFormat, SUCCESS};
use crate::cli::token_source::TokenSource;
use crate::clock;
use crate::config::{self, Overrides};

/// Show the contents of a token and check it offline
///
/// Makes the checks that a server makes before it calls STS. The output contains neither the signature nor the security
/// token. Only STS can verify the signature; use `verify` for that. With --cluster-id or --config, the command also
/// checks that the token is for that cluster. With --config, the settings for tokens in that file apply.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator token -i ID | ack-ram-authenticator inspect
  ack-ram-authenticator inspect \"$TOKEN\" --cluster-id ID --output json

Exit codes:
  0  The token passes the checks.
  1  The token fails a check, or cannot be read.
  2  The command line is wrong.")]
pub(in crate::cli) struct InspectArgs {
    /// Token, or an ExecCredential that contains it; defaults to `-`, which reads it from standard input, hidden from
    /// other processes
    #[arg(value_name = "TOKEN", conflicts_with = "token")]
    argument: Option<TokenSource>,

    /// Token or ExecCredential; the same as the argument
    #[arg(long, short, value_name = "TOKEN", allow_hyphen_values = true)]
    token: Option<TokenSource>,

    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

pub(super) fn run(args: &InspectArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let policy = if globals.cluster_id.is_some() || globals.config.is_some() {
        let config = globals.configuration(config::load_client, Overrides::default())?;
        Some(config.policy)
    } else {
        None
    };
    let token = args.argument.as_ref().or(args.token.as_ref());
    let token = token.unwrap_or(&TokenSource::StandardInput).read()?;
    let inspection = inspect::inspect(token.expose(), policy.as_ref(), clock::now());
    output::print(&match args.output {
        OutputFormat::Json => output::json(&inspection, "  ")?,
        OutputFormat::Text => text(&inspection)?,
    })?;
    if inspection.passes {
        Ok(())
    } else {
        Err(CommandFailure::Negative)
    }
}

fn text(inspection: &Inspection) -> Result<String, CommandFailure> {
    let mut page = String::new();
    let Inspection { kind, bytes, .. } = inspection;
    writeln!(
        page,
        "{HEADING}{}{HEADING:#}, {bytes} bytes",
        kind.describe()
    )?;
    if let Some(fingerprint) = inspection.fingerprint {
        row(&mut page, "reference", &fingerprint.to_string())?;
    }
    if let Some(contents) = &inspection.contents {
        contents_text(&mut page, contents)?;
    }
    if let Some(age) = inspection.age_seconds {
        row(&mut page, "age", &age_text(age))?;
    }
    if let Some(expires) = inspection.expires {
        row(&mut page, "STS accepts until", &expires.to_string())?;
    }
    if let Some(why) = inspection.undecoded {
        row(&mut page, "not decoded", why)?;
    }
    writeln!(page, "\n{HEADING}checks{HEADING:#}")?;
    for check in &inspection.checks {
        check_text(&mut page, check)?;
    }
    if let Some(request) = &inspection.request {
        writeln!(
            page,
            "\n{HEADING}request that a server would send to STS{HEADING:#}"
        )?;
        row(
            &mut page,
            "request",
            &format!("{} {}", request.method, request.path),
        )?;
        row(&mut page, "query keys", &request.query_keys.join(", "))?;
        row(&mut page, "headers", &request.headers.join(", "))?;
    }
    if inspection.passes {
        writeln!(
            page,
            "\n{SUCCESS}the token passes these checks; STS makes the final decision{SUCCESS:#}"
        )?;
    } else {
        writeln!(page, "\n{ERROR}the token would be refused{ERROR:#}")?;
    }
    Ok(page)
}

fn contents_text(page: &mut String, contents: &Contents) -> Result<(), CommandFailure> {
    if let Some(id) = &contents.access_key_id {
        let kind = if contents.temporary {
            " (temporary)"
        } else {
            ""
        };
        row(page, "access key ID", &format!("{id}{kind}"))?;
    }
    let date = contents.date.map(|date| date.to_string());
    for (name, value) in [
        ("cluster", contents.cluster_id.as_ref()),
        ("unsigned clusterId", contents.unsigned_cluster_id.as_ref()),
        ("signed at", date.as_ref()),
        ("method", contents.method.as_ref()),
        ("host", contents.host.as_ref()),
        ("path", contents.path.as_ref()),
        ("created by", contents.user_agent.as_ref()),
    ] {
        if let Some(value) = value {
            row(page, name, value)?;
        }
    }
    for (name, values) in [
        ("query keys", &contents.query_keys),
        ("headers", &contents.headers),
        ("signed headers", &contents.signed_headers),
    ] {
        if !values.is_empty() {
            row(page, name, &values.join(", "))?;
        }
    }
    Ok(())
}

fn check_text(page: &mut String, check: &Check) -> Result<(), CommandFailure> {
    let (style, status) = match check.status {
        CheckStatus::Passed => (SUCCESS, "passed"),
        CheckStatus::Failed => (ERROR, "failed"),
        CheckStatus::NotChecked => (DIM, "not checked"),
    };
    let name = check.name.as_str();
    write!(page, "  {style}{status:<11}{style:#}  ")?;
    match &check.reason {
        Some(reason) => write!(page, "{name:<9}  {reason}")?,
        None => write!(page, "{name}")?,
    }
    if let Some(advice) = check.advice {
        write!(page, "; {advice}")?;
    }
    writeln!(page)?;
    Ok(())
}

fn row(page: &mut String, name: &str, value: &str) -> Result<(), CommandFailure> {
    writeln!(page, "  {name:<18}  {value}")?;
    Ok(())
}

fn age_text(seconds: i64) -> String {
    let length = seconds.unsigned_abs();
    if seconds < 0 {
        format!("{} in the future", output::duration(length))
    } else {
        output::ago(length)
    }
}
