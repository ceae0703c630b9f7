//! What the commands share that log in: options, the access key, the token, and what kubectl asks for.

mod any_cluster;
mod exec_credential;
mod exec_info;
mod key_source;
mod log_level;
mod options;
mod program_name;
mod signed_login;
mod tool_options;

pub(super) use any_cluster::{load_for_any_cluster, load_sources_for_any_cluster};
pub(super) use exec_credential::ApiVersion;
pub(super) use exec_info::{EXEC_INFO, ExecInfo, ExecInfoError};
pub(super) use key_source::{KeySource, OwnedKey};
pub(super) use log_level::LogLevel;
pub(super) use options::{CallOptions, ClientOptions, IdentityOptions, absolute_path};
pub(super) use program_name::session_name_of_tool;
pub(super) use signed_login::SignedLogin;
pub(super) use tool_options::{TOOL_HEADING, ToolOptions, misplaced_options};
