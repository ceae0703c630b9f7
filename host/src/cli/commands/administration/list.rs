//! `list`: lists the mappings that the API server stores.

use std::collections::BTreeMap;

use ack_ram_core::rules::{Backend, BackendRules, Conflict, Rule, WildcardMode};
use anstyle::Style;
use clap::Args;
use serde::Serialize;

use crate::cli::args::Globals;
use crate::cli::failure::CommandFailure;
use crate::cli::mappings::table::{self, TableRow};
use crate::cli::mappings::{
    self, ClusterArgs, ConfigMapArgs, ConfigMapEditor, ObjectEditor, Store, StoredEntry,
    StoredMapping,
};
use crate::cli::output::{self, ERROR, OutputFormat};
use crate::config::ClusterlessConfig;

/// List the mappings in the cluster
///
/// Lists the entries of the ConfigMap and the RAMIdentityMapping objects, and says what is wrong with them. Use
/// `get mappings` to see which mappings are in effect on a server.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator list
  ack-ram-authenticator list --backend crd --output json

Exit codes:
  0  The mappings are listed, with or without problems.
  1  The API server did not return them.
  2  The command line is wrong.")]
pub(in crate::cli) struct ListArgs {
    /// Where to look for mappings; defaults to both places
    #[arg(long, value_enum, value_name = "BACKEND", ignore_case = true)]
    backend: Option<Store>,

    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,

    #[command(flatten)]
    config_map: ConfigMapArgs,

    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Serialize)]
struct MappingListing {
    mappings: Vec<ListedMapping>,
}

#[derive(Serialize)]
struct ListedMapping {
    backend: Backend,
    /// A position in the ConfigMap, or the name of an object.
    position: String,
    subject: String,
    username: String,
    groups: Vec<String>,
    /// The names of the fields with expressions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expressions: Vec<&'static str>,
    /// The groups starting `system:` that `groupsExpression` may produce.
    #[serde(
        rename = "groupsExpressionMayAdd",
        skip_serializing_if = "Vec::is_empty"
    )]
    may_add: Vec<String>,
    /// What is wrong with the mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(super) fn run(args: &ListArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let config = mappings::load_config(globals)?;
    let listed = MappingListing {
        mappings: mappings::block_on(list(args, config.as_ref()))?,
    };
    output::print(&match args.output {
        OutputFormat::Json => output::json(&listed, "  ")?,
        OutputFormat::Text => text(&listed),
    })
}

async fn list(
    args: &ListArgs,
    config: Option<&ClusterlessConfig>,
) -> Result<Vec<ListedMapping>, CommandFailure> {
    let client = args.cluster.client().await?;
    let mut listed = Vec::new();
    if args.backend != Some(Store::Crd) {
        let config_map = ConfigMapEditor::new(client.clone(), args.config_map.name(config));
        match config_map.read().await? {
            Some(data) => {
                let globs = config.map_or(WildcardMode::Disabled, |config| config.rules.globs);
                let stored = mappings::read_config_map(&data, globs);
                listed.extend(with_problems(Backend::ConfigMap, stored));
            }
            None => tracing::warn!("{config_map} does not exist"),
        }
    }
    if args.backend != Some(Store::Configmap) {
        match ObjectEditor::new(client).all().await? {
            Some(objects) => {
                let stored = objects.into_iter().map(StoredEntry::from).collect();
                listed.extend(with_problems(Backend::Crd, stored));
            }
            None if args.backend.is_none() => {
                tracing::warn!(
                    "no objects: the CustomResourceDefinition of RAMIdentityMapping is not installed"
                );
            }
            None => return Err(mappings::missing_definition()),
        }
    }
    Ok(listed)
}

/// Returns the entries with their problems: invalid entries, and rules that another entry shadows.
fn with_problems(backend: Backend, stored: Vec<StoredEntry>) -> Vec<ListedMapping> {
    let mut rules = BackendRules::new(backend);
    let mut listed: Vec<ListedMapping> = Vec::with_capacity(stored.len());
    for entry in stored {
        let StoredEntry {
            position,
            content,
            reported,
        } = entry;
        let mut one = ListedMapping {
            backend,
            position,
            subject: String::new(),
            username: String::new(),
            groups: Vec::new(),
            expressions: Vec::new(),
            may_add: Vec::new(),
            problem: None,
        };
        match content {
            Ok(StoredMapping::Mapping(mapping)) => {
                let spec = &mapping.spec;
                one.username.clone_from(&spec.username);
                one.groups.clone_from(&spec.groups);
                one.subject.clone_from(&spec.arn);
                one.may_add.clone_from(&spec.groups_expression_may_add);
                match Rule::compile(*mapping) {
                    Ok(rule) => {
                        one.subject = rule.subject().to_string();
                        one.expressions = rule.expression_fields();
                        rules.apply(rule);
                    }
                    Err(error) => one.problem = Some(error.to_string()),
                }
            }
            Ok(StoredMapping::Account(account)) => {
                one.subject = format!("every identity of account {account}")
            }
            Err(problem) => one.problem = Some(problem),
        }
        // The text of a server also says what stays in effect.
        one.problem = one.problem.map(|problem| reported.unwrap_or(problem));
        listed.push(one);
    }
    let conflicts: BTreeMap<String, String> = rules
        .conflicts()
        .into_iter()
        .map(
            |Conflict {
                 shadowed: loser,
                 shadowed_by: winner,
             }| (loser.position, winner.position),
        )
        .collect();
    for one in &mut listed {
        if let Some(winner) = conflicts.get(&one.position) {
            one.problem = Some(mappings::shadowed_remark(winner));
        }
    }
    listed
}

fn remarks(one: &ListedMapping) -> Vec<(Style, String)> {
    let problem = one.problem.iter().map(|problem| (ERROR, problem.clone()));
    mappings::may_add_remark(&one.may_add)
        .into_iter()
        .chain(problem)
        .collect()
}

fn text(listed: &MappingListing) -> String {
    let rows: Vec<TableRow<5>> = listed
        .mappings
        .iter()
        .map(|one| TableRow {
            cells: [
                one.backend.to_string(),
                one.position.clone(),
                one.subject.clone(),
                mappings::display_username(&one.username, &one.expressions),
                one.groups.join(","),
            ],
            remarks: remarks(one),
        })
        .collect();
    if rows.is_empty() {
        return "no mappings\n".to_owned();
    }
    let mut page = String::new();
    table::write_table(
        &mut page,
        ["BACKEND", "POSITION", "SUBJECT", "USERNAME", "GROUPS"],
        &rows,
    );
    page
}
