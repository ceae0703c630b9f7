//! `remove`: removes the mapping of a RAM user or role.

use clap::{Args, Subcommand};

use crate::cli::args::{self, Globals, WithGlobals, as_go_bool};
use crate::cli::failure::CommandFailure;
use crate::cli::mappings::{
    self, ClusterArgs, ConfigMapArgs, ConfigMapEditor, Consent, ConsentArgs, KeyEdit, ObjectEditor,
    Store, SubjectKind, YamlListEditor,
};
use crate::config::ClusterlessConfig;

/// Remove the mapping of a RAM user or role
///
/// Removes the entries of an ARN from the cluster's ConfigMap, with the comments directly above them, or deletes
/// RAMIdentityMapping objects. The command shows the change and asks you to confirm it. Everything else in the
/// ConfigMap stays as it is. A user who is logged in keeps access until the API server's cached answer expires, after
/// two minutes by default.
#[derive(Args, Debug)]
#[command(
    mut_args(as_go_bool),
    after_long_help = "\
Examples:
  ack-ram-authenticator remove role --rolearn acs:ram::1234567890123456:role/DevOps
  ack-ram-authenticator remove user --userarn acs:ram::1234567890123456:user/alice --backend crd
  ack-ram-authenticator remove --name role-1234567890123456-devops --yes

Exit codes:
  0  The mapping is removed.
  1  The mapping was not removed, for example because there is no such mapping.
  2  The command line is wrong, or there is no terminal to ask on (use --yes)."
)]
pub(in crate::cli) struct RemoveArgs {
    #[command(subcommand)]
    what: Option<RemoveWhat>,

    /// Name of the object to delete
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Where the mapping is stored
    #[arg(
        long,
        value_enum,
        value_name = "BACKEND",
        default_value = "configmap",
        ignore_case = true,
        global = true
    )]
    backend: Store,

    #[command(flatten)]
    consent: ConsentArgs,

    #[command(flatten)]
    config_map: ConfigMapArgs,

    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Subcommand)]
enum RemoveWhat {
    /// Remove the mapping of a RAM user
    User(WithGlobals<RemoveUserArgs>),
    /// Remove the mapping of a RAM role
    Role(WithGlobals<RemoveRoleArgs>),
}

#[derive(Args, Debug)]
struct RemoveUserArgs {
    /// ARN of the user, as the mapping spells it
    #[arg(long, value_name = "ARN")]
    userarn: String,
}

#[derive(Args, Debug)]
struct RemoveRoleArgs {
    /// ARN of the role, as the mapping spells it
    #[arg(long, value_name = "ARN")]
    rolearn: String,
}

impl RemoveArgs {
    /// Returns the global options that follow `user` or `role`.
    pub(super) fn globals(&self) -> Globals {
        match &self.what {
            Some(RemoveWhat::User(args)) => args.globals.clone(),
            Some(RemoveWhat::Role(args)) => args.globals.clone(),
            None => Globals::default(),
        }
    }
}

pub(super) fn run(args: &RemoveArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let config = mappings::load_config(globals)?;
    let (kind, arn) = match (&args.what, &args.name) {
        (None, Some(name)) => return mappings::block_on(remove_object(args, name)),
        (Some(RemoveWhat::User(args)), None) => (SubjectKind::User, &args.command.userarn),
        (Some(RemoveWhat::Role(args)), None) => (SubjectKind::Role, &args.command.rolearn),
        (None, None) | (Some(_), Some(_)) => {
            return Err(args::missing_argument(
                "name the mapping to remove: `user --userarn ARN`, `role --rolearn ARN`, or --name for an object",
            ));
        }
    };
    mappings::block_on(remove(args, kind, arn, config.as_ref()))
}

async fn remove_object(args: &RemoveArgs, name: &str) -> Result<(), CommandFailure> {
    let objects = ObjectEditor::new(args.cluster.client().await?);
    let mut consent = Consent::from(&args.consent);
    objects.remove_name(name, &mut consent).await
}

async fn remove(
    args: &RemoveArgs,
    kind: SubjectKind,
    arn: &str,
    config: Option<&ClusterlessConfig>,
) -> Result<(), CommandFailure> {
    let client = args.cluster.client().await?;
    let mut consent = Consent::from(&args.consent);
    match args.backend {
        Store::Crd => {
            ObjectEditor::new(client)
                .remove_arn(arn, &mut consent)
                .await
        }
        Store::Configmap => {
            let config_map = ConfigMapEditor::new(client, args.config_map.name(config));
            let edit = |text: &str| edited(text, kind, arn, &config_map);
            config_map
                .change(kind.config_map_key(), &mut consent, edit)
                .await
        }
    }
}

/// Returns the edit that removes the entries of `arn` from the list `text`.
fn edited(
    text: &str,
    kind: SubjectKind,
    arn: &str,
    config_map: &ConfigMapEditor,
) -> Result<KeyEdit, CommandFailure> {
    let key = kind.config_map_key();
    let mut text = text.to_owned();
    let mut is_found = false;
    loop {
        let unchangeable = |why| config_map.unchangeable(key, &why);
        let list = YamlListEditor::parse(&text, kind.arn_key()).map_err(unchangeable)?;
        let Some(place) = list.find_by_arn(arn).pop() else {
            break;
        };
        text = list.remove(place).map_err(unchangeable)?;
        is_found = true;
    }
    if is_found {
        return Ok(KeyEdit::Replace(text));
    }
    Err(CommandFailure::Failed(format!(
        "`{key}` of the {config_map} has no entry for `{arn}`; run `list` to see the mappings"
    )))
}
