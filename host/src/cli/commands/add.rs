//! `add`: maps a user or a role.

use ack_ram_core::rules::Backend;
use clap::{Args, Subcommand};

use crate::cli::args::{Globals, WithGlobals, as_go_bool};
use crate::cli::failure::CommandFailure;
use crate::cli::mappings::{
    self, ClusterArgs, ConfigMapArgs, ConfigMapEditor, Consent, ConsentArgs, KeyEdit, MappingEntry,
    ObjectEditor, RequestedMapping, Store, SubjectKind, YamlListEditor,
};
use crate::config::ClusterlessConfig;

/// Map a user or a role in the cluster's ConfigMap or in an object
///
/// The mapping is checked before anything is asked; what would let in more than is meant is warned of. What changes is
/// shown, and asked about. In the ConfigMap one entry is added to one key, and everything else stays as it is, with its
/// comments. When somebody else changes it at the same time, it is read again.
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
  0  the mapping is there
  1  it could not be added, or somebody is mapped otherwise, or the answer was no
  2  wrong usage, a mapping that cannot be used, or nobody to ask: give --yes"
)]
pub(in crate::cli) struct AddArgs {
    #[command(subcommand)]
    what: AddWhat,

    /// Where the mapping is written
    #[arg(
        long,
        value_enum,
        value_name = "BACKEND",
        default_value = "configmap",
        ignore_case = true,
        global = true
    )]
    backend: Store,

    /// The name of the object; without it, one is made of the ARN
    #[arg(long, value_name = "NAME", global = true)]
    name: Option<String>,

    /// Change the mapping of that ARN, if there is another
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
    /// Map a RAM role: everybody who assumes it
    Role(WithGlobals<AddRoleArgs>),
}

#[derive(Args, Debug)]
struct AddUserArgs {
    /// The ARN of the user, `acs:ram::<account>:user/<name>`, or of the account, `acs:ram::<account>:root`
    #[arg(long, value_name = "ARN")]
    userarn: String,

    #[command(flatten)]
    names: Names,
}

#[derive(Args, Debug)]
struct AddRoleArgs {
    /// The ARN of the role, `acs:ram::<account>:role/<name>`
    #[arg(long, value_name = "ARN")]
    rolearn: String,

    #[command(flatten)]
    names: Names,
}

#[derive(Args, Debug)]
struct Names {
    /// The Kubernetes username; it may hold variables, such as `{{SessionName}}`
    #[arg(long, value_name = "NAME")]
    username: String,

    /// The Kubernetes groups, with commas between; they may hold variables
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    groups: Vec<String>,
}

impl AddArgs {
    /// The global options after the name of the kind.
    pub(super) fn globals(&self) -> Globals {
        match &self.what {
            AddWhat::User(args) => args.globals.clone(),
            AddWhat::Role(args) => args.globals.clone(),
        }
    }

    fn wanted(&self) -> (SubjectKind, MappingEntry) {
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
    let (kind, entry) = args.wanted();
    if args.name.is_some() && args.backend == Store::Configmap {
        return Err(CommandFailure::Usage(
            "--name is for an object: give --backend crd".to_owned(),
        ));
    }
    let wanted = RequestedMapping {
        kind,
        backend: match args.backend {
            Store::Configmap => Backend::ConfigMap,
            Store::Crd => Backend::Crd,
        },
        entry: &entry,
        config: config.as_ref(),
    };
    wanted.check()?;
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

/// The list `text` with `entry` in it.
fn edited(
    text: &str,
    kind: SubjectKind,
    entry: &MappingEntry,
    replace: bool,
    config_map: &ConfigMapEditor,
) -> Result<KeyEdit, CommandFailure> {
    let unchangeable = |why| config_map.unchangeable(kind.config_map_key(), &why);
    let list = YamlListEditor::parse(text, kind.arn_key()).map_err(unchangeable)?;
    let about_it: Vec<usize> = list.find_by_arn(&entry.arn);
    let changed = match about_it.as_slice() {
        [] => list.append(entry),
        [one] if list.has_entry(*one, entry) => {
            return Ok(KeyEdit::Unchanged(format!(
                "{config_map} says that already"
            )));
        }
        [one] if replace => list.replace(*one, entry),
        [_] => {
            return Err(CommandFailure::Failed(format!(
                "`{}` is mapped otherwise in `{}` of the {config_map}; give --replace to change it",
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
