//! `add`: maps a RAM user or role.

use ack_ram_core::rules::Backend;
use clap::{Args, Subcommand};

use crate::cli::args::{Globals, WithGlobals, as_go_bool};
use crate::cli::failure::CommandFailure;
use crate::cli::mappings::{
    self, ClusterArgs, ConfigMapArgs, ConfigMapEditor, Consent, ConsentArgs, KeyEdit, MappingEntry,
    ObjectEditor, RequestedMapping, Store, SubjectKind, YamlListEditor,
};
use crate::config::ClusterlessConfig;

/// Map a RAM user or role to a Kubernetes user
///
/// Adds an entry to the cluster's ConfigMap, or creates a RAMIdentityMapping object. The command checks the mapping
/// first, and warns when the mapping may grant more access than you intend. Then it shows the change and asks you to
/// confirm it. Other entries in the ConfigMap, and comments, stay as they are. If another client changes the ConfigMap
/// at the same time, the command reads it again and repeats the change.
#[derive(Args, Debug)]
#[command(
    mut_args(as_go_bool),
    after_long_help = "\
Examples:
  ack-ram-authenticator add role --rolearn acs:ram::1234567890123456:role/DevOps \\
      --username devops:{{SessionName}} --groups developers
  ack-ram-authenticator add user --userarn acs:ram::1234567890123456:user/alice \\
      --username alice --groups developers,auditors --backend crd --yes

Exit codes:
  0  The mapping is in place.
  1  The mapping was not added, for example because the ARN already has another mapping.
  2  The command line or mapping is not valid, or there is no terminal to ask on (use --yes)."
)]
pub(in crate::cli) struct AddArgs {
    #[command(subcommand)]
    what: AddWhat,

    /// Where to store the mapping
    #[arg(
        long,
        value_enum,
        value_name = "BACKEND",
        default_value = "configmap",
        ignore_case = true,
        global = true
    )]
    backend: Store,

    /// Name of the object; defaults to a name derived from the ARN
    #[arg(long, value_name = "NAME", global = true)]
    name: Option<String>,

    /// Replace an existing mapping of the same ARN
    #[arg(long, global = true)]
    replace: bool,

    #[command(flatten)]
    consent: ConsentArgs,

    #[command(flatten)]
    config_map: ConfigMapArgs,

    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Subcommand)]
enum AddWhat {
    /// Map a RAM user
    User(WithGlobals<AddUserArgs>),
    /// Map every session of a RAM role
    Role(WithGlobals<AddRoleArgs>),
}

#[derive(Args, Debug)]
struct AddUserArgs {
    /// ARN of the user, `acs:ram::<account>:user/<name>`, or of the account, `acs:ram::<account>:root`
    #[arg(long, value_name = "ARN")]
    userarn: String,

    #[command(flatten)]
    names: Names,
}

#[derive(Args, Debug)]
struct AddRoleArgs {
    /// ARN of the role, `acs:ram::<account>:role/<name>`
    #[arg(long, value_name = "ARN")]
    rolearn: String,

    #[command(flatten)]
    names: Names,
}

#[derive(Args, Debug)]
struct Names {
    /// Kubernetes username; may contain variables, such as `{{SessionName}}`
    #[arg(long, value_name = "NAME")]
    username: String,

    /// Kubernetes groups, separated by commas; may contain variables
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    groups: Vec<String>,
}

impl AddArgs {
    /// Returns the global options that follow `user` or `role`.
    pub(super) fn globals(&self) -> Globals {
        match &self.what {
            AddWhat::User(args) => args.globals.clone(),
            AddWhat::Role(args) => args.globals.clone(),
        }
    }

    fn requested(&self) -> (SubjectKind, MappingEntry) {
        let (kind, arn, names) = match &self.what {
            AddWhat::User(args) => (
                SubjectKind::User,
                &args.command.userarn,
                &args.command.names,
            ),
            AddWhat::Role(args) => (
                SubjectKind::Role,
                &args.command.rolearn,
                &args.command.names,
            ),
        };
        let Names { username, groups } = names;
        let entry = MappingEntry {
            arn: arn.clone(),
            username: username.clone(),
            groups: groups.clone(),
        };
        (kind, entry)
    }
}

pub(super) fn run(args: &AddArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let config = mappings::load_config(globals)?;
    let (kind, entry) = args.requested();
    if args.name.is_some() && args.backend == Store::Configmap {
        return Err(CommandFailure::Usage(
            "--name requires --backend crd: only objects have names".to_owned(),
        ));
    }
    let requested = RequestedMapping {
        kind,
        backend: match args.backend {
            Store::Configmap => Backend::ConfigMap,
            Store::Crd => Backend::Crd,
        },
        entry: &entry,
        config: config.as_ref(),
    };
    requested.check()?;
    mappings::block_on(add(args, kind, &entry, config.as_ref()))
}

async fn add(
    args: &AddArgs,
    kind: SubjectKind,
    entry: &MappingEntry,
    config: Option<&ClusterlessConfig>,
) -> Result<(), CommandFailure> {
    let client = args.cluster.client().await?;
    let mut consent = Consent::from(&args.consent);
    match args.backend {
        Store::Crd => {
            let name = args.name.as_deref();
            let objects = ObjectEditor::new(client);
            objects.add(entry, name, args.replace, &mut consent).await
        }
        Store::Configmap => {
            let config_map = ConfigMapEditor::new(client, args.config_map.name(config));
            let edit = |text: &str| edited(text, kind, entry, args.replace, &config_map);
            config_map
                .change(kind.config_map_key(), &mut consent, edit)
                .await
        }
    }
}

/// Returns the edit that puts `entry` into the list `text`.
fn edited(
    text: &str,
    kind: SubjectKind,
    entry: &MappingEntry,
    replace: bool,
    config_map: &ConfigMapEditor,
) -> Result<KeyEdit, CommandFailure> {
    let unchangeable = |why| config_map.unchangeable(kind.config_map_key(), &why);
    let list = YamlListEditor::parse(text, kind.arn_key()).map_err(unchangeable)?;
    let existing: Vec<usize> = list.find_by_arn(&entry.arn);
    let changed = match existing.as_slice() {
        [] => list.append(entry),
        [one] if list.has_entry(*one, entry) => {
            return Ok(KeyEdit::Unchanged(format!(
                "{config_map} already has this mapping"
            )));
        }
        [one] if replace => list.replace(*one, entry),
        [_] => {
            return Err(CommandFailure::Failed(format!(
                "`{}` already has another mapping in `{}` of the {config_map}; use --replace to change it",
                entry.arn,
                kind.config_map_key(),
            )));
        }
        several => {
            return Err(CommandFailure::Failed(format!(
                "`{}` is mapped {} times in `{}` of the {config_map}; remove it first",
                entry.arn,
                several.len(),
                kind.config_map_key(),
            )));
        }
    };
    changed.map(KeyEdit::Replace).map_err(unchangeable)
}
