//! A home folder with one source of a key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use ack_ram_tests::authenticator;
use serde_json::json;
use tempfile::TempDir;

use crate::client::services::{Reaction, Services};
use crate::client::sources::{
    COMMAND_ARGUMENT, KUBE_TOKEN, PRINTED_ERROR, PRINTED_SECRET, PRINTED_TOKEN, PROXY_PASSWORD,
    Source,
};

/// The file in which the process of a profile notes the command line of its parent.
const ARGUMENTS: &str = "arguments";

/// A home folder, and the variables of the commands in it.
pub(crate) struct Home {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// Returns users of this program with a secret at each place of their arguments and variables.
fn stored_users() -> String {
    let arguments = [
        "token".to_owned(),
        format!("token, {KUBE_TOKEN}"),
        format!("token, -{KUBE_TOKEN}"),
        format!("token, --{KUBE_TOKEN}=x"),
        format!("token, --secret={KUBE_TOKEN}"),
        format!("token, --duration, {KUBE_TOKEN}"),
        format!("token, --role-arn, {KUBE_TOKEN}"),
        format!("token, --session-name, '{KUBE_TOKEN} '"),
        format!("token, --sts-endpoint, '{KUBE_TOKEN} '"),
        KUBE_TOKEN.to_owned(),
        format!("credential-plugin, {KUBE_TOKEN}"),
    ];
    let users = arguments.iter().enumerate().map(|(index, args)| {
        format!(
            "- name: stored{index}\n  user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, \
             interactiveMode: Never, command: ack-ram-authenticator, args: [{args}], \
             env: [{{name: ACCESS_KEY_SECRET, value: {KUBE_TOKEN}}}]}}}}\n"
        )
    });
    users.collect()
}

impl Home {
    pub(crate) fn create(source: &Source, services: &Services, reaction: Reaction) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let plain = services.plain.address().to_string();
        let expand = |text: &str| text.replace("{home}", &home).replace("{plain}", &plain);
        let write = |path: &str, text: &str| write(&folder.path().join(path), &expand(text));
        for (path, text) in &source.files {
            write(path, text);
        }
        write("tool", &tool(reaction));
        write("ca.pem", &services.authority.pem());
        write(
            ".kube/config",
            &format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
                 clusters:\n- name: one\n  cluster:\n    server: https://127.0.0.1:1\n\
                 contexts:\n- name: here\n  context:\n    cluster: one\n    user: other\n\
                 users:\n- name: other\n  user:\n    token: {KUBE_TOKEN}\n{}",
                stored_users()
            ),
        );
        let proxy = services.proxy.url();
        let proxy = proxy.replace("http://", &format!("http://user:{PROXY_PASSWORD}@"));
        let mut variables = vec![
            ("SSL_CERT_FILE", format!("{home}/ca.pem")),
            ("HTTPS_PROXY", proxy),
        ];
        let own = source.variables.iter();
        variables.extend(own.map(|(name, value)| (*name, expand(value))));
        Self { folder, variables }
    }

    /// Runs a command with a level of the log.
    pub(crate) fn run(&self, words: &[&str], level: Option<&str>) -> Output {
        let mut command = authenticator::command(self.folder.path(), words);
        if let Some(level) = level {
            command.env("ACK_RAM_AUTHENTICATOR_LOG", level);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.output().unwrap()
    }

    /// Returns the command lines of the client that the process of a profile has noted. Only the process itself has the
    /// arguments that the person wrote.
    pub(crate) fn process_arguments(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join(ARGUMENTS)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Returns the paths of all files.
    pub(crate) fn file_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for file in fs::read_dir(folder).unwrap() {
                let file = file.unwrap();
                names.push(file.path().to_string_lossy().into_owned());
                if file.file_type().unwrap().is_dir() {
                    folders.push(file.path());
                }
            }
        }
        names
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Returns the script of the process.
fn tool(reaction: Reaction) -> String {
    let profile = json!({
        "mode": "StsToken",
        "access_key_id": "STS.FakeAccessKeyId0002",
        "access_key_secret": PRINTED_SECRET,
        "sts_token": PRINTED_TOKEN,
        "expiration": "2090-01-02T03:04:05Z",
    });
    let profile = profile.to_string();
    let (printed, code) = match reaction {
        Reaction::Works => (profile, 0),
        Reaction::Refuses => (profile, 3),
        Reaction::Breaks => (profile[..profile.len() * 2 / 3].to_owned(), 0),
        Reaction::LacksMember => (profile.replace("access_key_id", "other"), 0),
    };
    format!(
        "tr '\\0' ' ' < /proc/$PPID/cmdline >> {{home}}/{ARGUMENTS}\necho >> {{home}}/{ARGUMENTS}\n\
         echo 'the access token is {PRINTED_ERROR}, called with {COMMAND_ARGUMENT}' >&2\n\
         echo '{printed}'\nexit {code}\n"
    )
}
