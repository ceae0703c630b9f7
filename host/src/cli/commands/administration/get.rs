//! `get`: shows the state of a running server.

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

/// Show the state of a running server
#[derive(Args, Debug)]
pub(in crate::cli) struct GetArgs {
    #[command(subcommand)]
    what: GetWhat,
}

#[derive(Debug, Subcommand)]
enum GetWhat {
    Mappings(Box<WithGlobals<MappingsArgs>>),
}

/// Show the mappings in effect on a server on this machine
///
/// For each mapping, shows its source and the time since which it has been in effect unchanged. A mapping whose last
/// edit is not valid stays in effect for `server.lastGoodTTL` and is marked. Refused mappings are shown with the
/// reason. The command connects to the socket `control.sock` in the server's state directory; only root and the user of
/// the server have access to it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  sudo ack-ram-authenticator get mappings
  ack-ram-authenticator get mappings --state-dir ./state --backend crd --output json
  kubectl -n kube-system exec ds/ack-ram-authenticator -- /ack-ram-authenticator get mappings

Exit codes:
  0  The mappings are shown.
  1  No server answers on the socket, or you have no access to it.
  2  The command line is wrong.")]
struct MappingsArgs {
    /// State directory of the server; defaults to the one in --config, or /var/ack-ram-authenticator
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,

    /// Backend to show; defaults to all
    #[arg(long, value_enum, value_name = "BACKEND", ignore_case = true)]
    backend: Option<BackendFilter>,

    /// Output format
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
    /// Returns the global options that follow `mappings`.
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
        let selected = Backend::from(which);
        in_effect
            .backends
            .retain(|backend| backend.backend == selected);
        if in_effect.backends.is_empty() {
            return Err(CommandFailure::Failed(format!(
                "this server does not use the backend {selected}; see `server.backendMode` in its configuration"
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
                "  {ERROR}invalid document: logins that need this backend or a later one get 503{ERROR:#}"
            )?;
        } else if !backend.is_read {
            writeln!(
                page,
                "  {WARNING}not loaded yet: later backends wait for this one{WARNING:#}"
            )?;
        }
        if backend.is_stale {
            writeln!(
                page,
                "  {ERROR}stale: not confirmed for longer than `server.maxStaleness`, so identities that this backend maps get 503{ERROR:#}"
            )?;
        }
        if let Some(age) = backend.confirmed_age_seconds {
            writeln!(page, "  {DIM}last confirmed {}{DIM:#}", output::ago(age))?;
        }
        if let Some(trouble) = &backend.trouble {
            writeln!(
                page,
                "  {ERROR}current problem: {}{ERROR:#}",
                visible(trouble)
            )?;
        }
        write_mappings(&mut page, backend);
        for account in &backend.accounts {
            writeln!(page, "every identity of account {}", visible(account))?;
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
                    "last good form, kept from {since} until {until} because {basis}; the last edit is refused: {reason}"
                );
                remarks.push((WARNING, kept));
            }
            let conflict =
                conflicts.binary_search_by(|conflict| conflict.loser.as_str().cmp(&rule.position));
            if let Some(conflict) = conflict.ok().and_then(|at| conflicts.get(at)) {
                let winner = &conflict.winner;
                remarks.push((
                    WARNING,
                    mappings::shadowed_remark(winner),
                ));
            }
            if rule
                .expressions
                .iter()
                .any(|field| field != "usernameExpression")
            {
                remarks.push((DIM, format!("uses {}", rule.expressions.join(", "))));
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
