//! `cache`: shows and removes the keys that the client has stored.

use std::path::PathBuf;

use ack_ram_client::cache::{CacheFolder, CachedFile};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, OutputFormat, escaped};
use crate::clock;
use crate::environment;

/// Show or remove cached access keys
///
/// `token` stores a temporary access key that STS, a URL or a process issued, such as the key of a role, until shortly
/// before the key expires. The folder is the first of: `--cache-dir`; ACK_RAM_AUTHENTICATOR_CACHE_DIR;
/// `ack-ram-authenticator` in KUBECACHEDIR; `~/.kube/cache/ack-ram-authenticator`.
#[derive(Args, Debug)]
pub(in crate::cli) struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    List(ListArgs),
    Clear(ClearArgs),
}

/// List the cached access keys, without secrets
#[derive(Args, Debug)]
struct ListArgs {
    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,

    #[command(flatten)]
    folder: FolderOption,
}

/// Remove the cached access keys
#[derive(Args, Debug)]
struct ClearArgs {
    /// Remove only keys that have expired, and damaged entries
    #[arg(long)]
    expired: bool,

    #[command(flatten)]
    folder: FolderOption,
}

#[derive(Args, Debug)]
struct FolderOption {
    /// Folder of the cache
    #[arg(long, value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
}

impl FolderOption {
    fn open(&self) -> Result<CacheFolder, CommandFailure> {
        let option = self.cache_dir.as_deref();
        let option = option.filter(|path| !path.as_os_str().is_empty());
        let path = CacheFolder::locate(option, &environment::all()).ok_or_else(|| {
            CommandFailure::Failed(
                "the home directory is unknown; set HOME, or --cache-dir".to_owned(),
            )
        })?;
        CacheFolder::open(&path.value).map_err(|error| {
            CommandFailure::Failed(format!(
                "the cache `{}` cannot be used: {error}",
                path.value.display()
            ))
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedEntry {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obtained: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    state: &'static str,
}

pub(super) fn run(args: &CacheArgs) -> Result<(), CommandFailure> {
    match &args.command {
        CacheCommand::List(args) => list(args),
        CacheCommand::Clear(args) => clear(args),
    }
}

fn list(args: &ListArgs) -> Result<(), CommandFailure> {
    let files = args.folder.open()?.list()?;
    let entries: Vec<ListedEntry> = files.into_iter().map(describe).collect();
    let text = match args.output {
        OutputFormat::Json => output::json(&entries, "  ")?,
        OutputFormat::Text => table(&entries),
    };
    output::print(&text)
}

fn describe(file: CachedFile) -> ListedEntry {
    let key = file.key.to_string();
    match file.entry {
        None => ListedEntry {
            key,
            source: None,
            obtained: None,
            expires: None,
            state: "damaged",
        },
        Some(entry) => ListedEntry {
            key,
            obtained: Some(entry.obtained.to_string()),
            expires: Some(entry.ends.to_string()),
            state: match is_expired(entry.ends) {
                true => "expired",
                false => "valid",
            },
            source: Some(entry.summary),
        },
    }
}

fn table(entries: &[ListedEntry]) -> String {
    if entries.is_empty() {
        return "no cached access keys\n".to_owned();
    }
    let mut text = String::new();
    for entry in entries {
        let short = entry.key.get(..12).unwrap_or(&entry.key);
        let end = match &entry.expires {
            Some(end) => format!("{} until {end}", entry.state),
            None => entry.state.to_owned(),
        };
        text.push_str(&format!("{short}  {end}\n"));
        if let Some(source) = &entry.source {
            text.push_str(&format!("    {}\n", escaped(source)));
        }
    }
    text
}

fn clear(args: &ClearArgs) -> Result<(), CommandFailure> {
    let folder = args.folder.open()?;
    let mut removed = 0_usize;
    for file in folder.list()? {
        let is_live = file
            .entry
            .as_ref()
            .is_some_and(|entry| !is_expired(entry.ends));
        if args.expired && is_live {
            continue;
        }
        folder.clear(&file.key)?;
        removed += 1;
    }
    if !args.expired {
        folder.clear_leftovers()?;
    }
    output::print(&format!("removed {}\n", output::pluralize(removed, "key")))
}

fn is_expired(end: ack_ram_core::time::UnixTime) -> bool {
    end <= clock::now()
}
