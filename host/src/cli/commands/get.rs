//! `get`: what a running server has.

use std::fmt::Write as _;
use std::path::PathBuf;

use ack_ram_core::rules::Backend;
use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::{Globals, WithGlobals};
use crate::cli::failure::CommandFailure;
use crate::cli::mappings::table::{self, TableRow};
use crate::cli::mappings::{self, visible};
use crate::cli::output::{self, DIM, ERROR, HEADING, OutputFormat, WARNING};
use crate::config::{self, Overrides};
use crate::control::client;
use crate::control::protocol::{
    BackendReply, ConflictReply, KeptReply, MappingsReply, RefusedReply,
};

/// Show what a running server has in effect
#[derive(Args, Debug)]
pub(in crate::cli) struct GetArgs {
    #[command(subcommand)]
    what: GetWhat,
}

#[derive(Debug, Subcommand)]
enum GetWhat {
    Mappings(Box<WithGlobals<MappingsArgs>>),
}

/// Show the mappings that a server on this machine has in effect
///
/// Each is shown with where it comes from and since when it has been in effect in this form; one that a later edit broke
/// stays for `server.lastGoodTTL`, and is marked. What is refused is shown with why. The server is asked on the socket
/// `control.sock` in its state directory, which its own user and root may use.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  sudo ack-ram-authenticator get mappings
  ack-ram-authenticator get mappings --state-dir ./state --backend crd --output json
  kubectl -n kube-system exec ds/ack-ram-authenticator -- ack-ram-authenticator get mappings

Exit codes:
  0  shown
  1  no server answers there, or this user may not ask it
  2  wrong usage")]
struct MappingsArgs {
    /// The state directory of the server; without it that of --config, else /var/ack-ram-authenticator
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,

    /// Only the mappings of one backend
    #[arg(long, value_enum, value_name = "BACKEND", ignore_case = true)]
    backend: Option<BackendFilter>,

    /// The form of what is printed
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BackendFilter {
    #[value(alias = "MountedFile")]
    File,
    #[value(alias = "ACKConfigMap")]
    Configmap,
    Crd,
    #[value(name = "dynamicfile")]
    DynamicFile,
}

impl From<BackendFilter> for Backend {
    fn from(which: BackendFilter) -> Self {
        match which {
            BackendFilter::File => Self::MountedFile,
            BackendFilter::Configmap => Self::ConfigMap,
            BackendFilter::Crd => Self::Crd,
            BackendFilter::DynamicFile => Self::DynamicFile,
        }
    }
}

impl GetArgs {
    /// The global options after the name of what is shown.
    pub(super) fn globals(&self) -> Globals {
        let GetWhat::Mappings(args) = &self.what;
        args.globals.clone()
    }
}

pub(super) fn run(args: &GetArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let GetWhat::Mappings(args) = &args.what;
    let args = &args.command;
    let overrides = Overrides {
        state_dir: args.state_dir.clone(),
        ..Overrides::default()
    };
    let state_dir = globals
        .configuration(config::load_without_cluster, overrides)?
        .state_dir;
    let mut in_effect =
        mappings::block_on(async { Ok(client::fetch_mappings(&state_dir).await?) })?;
    if let Some(which) = args.backend {
        let wanted = Backend::from(which);
        in_effect
            .backends
            .retain(|backend| backend.backend == wanted);
        if in_effect.backends.is_empty() {
            return Err(CommandFailure::Failed(format!(
                "this server does not ask the backend {wanted}; `server.backendMode` says which it asks"
            )));
        }
    }
    output::print(&match args.output {
        OutputFormat::Json => output::json(&in_effect, "  ")?,
        OutputFormat::Text => text(&in_effect)?,
    })
}

fn text(in_effect: &MappingsReply) -> Result<String, CommandFailure> {
    let mut page = String::new();
    for backend in &in_effect.backends {
        let gap = if page.is_empty() { "" } else { "\n" };
        let count = backend.rules.len() + backend.accounts.len();
        writeln!(
            page,
            "{gap}{HEADING}{}{HEADING:#}: {}",
            backend.backend,
            output::pluralize(count, "mapping")
        )?;
        if backend.is_broken {
            writeln!(
                page,
                "  {ERROR}was read and is broken: logins that need it or a later backend get 503{ERROR:#}"
            )?;
        } else if !backend.is_read {
            writeln!(
                page,
                "  {WARNING}has not been read yet: later backends wait for it{WARNING:#}"
            )?;
        }
        if backend.is_stale {
            writeln!(
                page,
                "  {ERROR}stale: not confirmed for longer than `server.maxStaleness`, so the identities that it maps get 503{ERROR:#}"
            )?;
        }
        if let Some(age) = backend.confirmed_age_seconds {
            writeln!(page, "  {DIM}last confirmed {age} s ago{DIM:#}")?;
        }
        if let Some(trouble) = &backend.trouble {
            writeln!(
                page,
                "  {ERROR}cannot be read now: {}{ERROR:#}",
                visible(trouble)
            )?;
        }
        write_mappings(&mut page, backend);
        for account in &backend.accounts {
            writeln!(page, "all of account {}", visible(account))?;
        }
        for RefusedReply { position, reason } in &backend.refused {
            let (position, reason) = (visible(position), visible(reason));
            writeln!(page, "{ERROR}refused{ERROR:#} {position}: {reason}")?;
        }
    }
    Ok(page)
}

fn write_mappings(page: &mut String, backend: &BackendReply) {
    if backend.rules.is_empty() {
        return;
    }
    let mut conflicts: Vec<&ConflictReply> = backend.conflicts.iter().collect();
    conflicts.sort_unstable_by(|a, b| a.loser.cmp(&b.loser));
    let rows: Vec<TableRow<5>> = backend
        .rules
        .iter()
        .map(|rule| {
            let mut remarks = Vec::new();
            if let Some(kept) = &rule.kept {
                let KeptReply {
                    since,
                    until,
                    reason,
                    basis,
                } = kept;
                let kept = format!(
                    "kept since {since} until {until}, since {basis}: its last edit is refused: {reason}"
                );
                remarks.push((WARNING, kept));
            }
            let conflict =
                conflicts.binary_search_by(|conflict| conflict.loser.as_str().cmp(&rule.position));
            if let Some(conflict) = conflict.ok().and_then(|at| conflicts.get(at)) {
                let winner = &conflict.winner;
                remarks.push((
                    WARNING,
                    format!("never answers: {winner} names the same identity, and comes first"),
                ));
            }
            if rule
                .expressions
                .iter()
                .any(|field| field != "usernameExpression")
            {
                remarks.push((DIM, format!("with {}", rule.expressions.join(", "))));
            }
            remarks.extend(mappings::may_add_remark(&rule.groups_expression_may_add));
            TableRow {
                cells: [
                    rule.position.to_string(),
                    rule.subject.clone(),
                    mappings::display_username(&rule.username, &rule.expressions),
                    rule.groups.join(","),
                    rule.since.clone().unwrap_or_default(),
                ],
                remarks,
            }
        })
        .collect();
    let titles = ["POSITION", "SUBJECT", "USERNAME", "GROUPS", "SINCE"];
    table::write_table(page, titles, &rows);
}

#[cfg(test)]
mod tests;
