//! The target for replies to the client's calls: checks that each flow ends, that each key is from a reply, and that no
//! text shows a secret.

use std::path::Path;
use std::time::Duration;

use ack_ram_client::environment::Environment;
use ack_ram_client::files::{FileContent, FileError, Files};
use ack_ram_client::finding::Findings;
use ack_ram_client::flow::{Effect, Flow, Moment, Outcome, ProcessOutput, Step};
use ack_ram_client::http::{Call, CallFailure, HttpReply, HttpRequest, HttpResponse};
use ack_ram_client::origin::{Origin, Setting};
use ack_ram_client::plan::Plan;
use ack_ram_client::resolve::resolve;
use ack_ram_client::settings::Settings;

use crate::secret_members::{has_canary, mark_json};
use crate::{CANARY, NOW, check_one_line};

/// The profiles of all flows. Each secret contains the canary.
const PROFILES: &str = r#"{"profiles": [
{"name": "metadata", "mode": "EcsRamRole"},
{"name": "metadata-role", "mode": "RamRoleArnWithRoleName", "ram_role_name": "r", "ram_role_arn": "acs:ram::1:role/r"},
{"name": "url", "mode": "CredentialsURI", "credentials_uri": "http://u:CANARY@127.0.0.1/CANARY?CANARY"},
{"name": "process", "mode": "External", "process_command": "tool CANARY"},
{"name": "process-role", "mode": "ChainableRamRoleArn", "source_profile": "process", "ram_role_arn": "acs:ram::1:role/r",
 "ram_session_name": "dev"},
{"name": "cloud-sso", "mode": "CloudSSO", "cloud_sso_sign_in_url": "https://h.example/CANARY", "cloud_sso_account_id": "1",
 "cloud_sso_access_config": "ac-1", "access_token": "CANARY", "cloud_sso_access_token_expire": 1800000000},
{"name": "oauth", "mode": "OAuth", "oauth_site_type": "CN", "oauth_access_token": "CANARY",
 "oauth_access_token_expire": 1800000000, "oauth_refresh_token": "CANARY"},
{"name": "oauth-refresh", "mode": "OAuth", "oauth_site_type": "INTL", "oauth_refresh_token": "CANARY"},
{"name": "oidc", "mode": "OIDC", "oidc_provider_arn": "acs:ram::1:oidc-provider/p", "oidc_token_file": "/token",
 "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "dev"},
{"name": "role", "mode": "RamRoleArn", "access_key_id": "LTAI5tFakeAccessKeyId001", "access_key_secret": "CANARY",
 "sts_token": "CANARY", "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "dev"}
]}"#;
const NAMES: [&str; 10] = [
    "metadata",
    "metadata-role",
    "url",
    "process",
    "process-role",
    "cloud-sso",
    "oauth",
    "oauth-refresh",
    "oidc",
    "role",
];
/// A flow with more effects has no end: the longest has a call for each of its sources, with one retry.
const MAX_EFFECTS: usize = 30;

/// Reads the input as replies, separated by U+001E, and gives them to each flow. Each reply is a status, a line feed, and
/// a body. The last reply is repeated.
pub fn client_replies(input: &[u8]) {
    // The fuzzer learns the texts in comparisons, so it may have inserted the canary.
    if has_canary(input) {
        return;
    }
    let replies: Vec<Reply> = input
        .split(|byte| *byte == 0x1e)
        .filter_map(Reply::parse)
        .collect();
    for name in NAMES {
        run(name, false, &replies);
    }
    run("role", true, &replies);
}

/// Runs the flow of a profile.
fn run(name: &str, forwards_name: bool, replies: &[Reply]) {
    let moment = Moment {
        now: NOW,
        nonce: "0123456789abcdef0123456789abcdef".to_owned(),
        pause: Duration::from_secs(1),
    };
    let mut replies = replies.iter().peekable();
    let mut used = Vec::new();
    let mut step = Flow::start(plan(name, forwards_name), None, &moment);
    for _ in 0..MAX_EFFECTS {
        check_secrecy(&format!("{step:?}"));
        let (flow, effect) = match step {
            Step::Continue(flow, effect) => (flow, effect),
            Step::Done(Ok(obtained)) => {
                let secrets = [
                    Some(&obtained.key.secret),
                    obtained.key.security_token.as_ref(),
                ];
                check_source(obtained.key.id.as_str(), &used);
                for secret in secrets.into_iter().flatten() {
                    check_source(secret.expose(), &used);
                }
                return;
            }
            Step::Done(Err(error)) => {
                check_one_line(&error.cause());
                check_one_line(&error.remedy());
                check_secrecy(&format!("{error} {error:?}"));
                return;
            }
        };
        let outcome = match effect {
            Effect::Read(_) => Outcome::File(FileContent::from_bytes(CANARY.into(), None)),
            Effect::Save(_) | Effect::Wait(_) => Outcome::Done,
            Effect::Send(_) | Effect::Run(_) => {
                // The last reply stays.
                let reply = match replies.len() {
                    0 | 1 => replies.peek().copied(),
                    _ => replies.next(),
                };
                let Some(reply) = reply else { return };
                let (outcome, bytes) = reply.outcome(&effect);
                used.push(bytes);
                outcome
            }
        };
        check_secrecy(&format!("{outcome:?}"));
        step = flow.resume(outcome, &moment);
    }
    panic!("the flow of `{name}` does not end");
}

fn plan(name: &str, forwards_name: bool) -> Plan {
    let mut settings = Settings {
        profile_name: Some(Setting::new(
            name.to_owned(),
            Origin::Option("--profile-name"),
        )),
        default_session_name: "ack-ram-authenticator".to_owned(),
        ..Settings::default()
    };
    if forwards_name {
        let role = ack_ram_core::sts::RoleArn::parse("acs:ram::1:role/last").unwrap();
        settings.role = Some(Setting::new(role, Origin::Option("--role-arn")));
        settings.session.forward_name = true;
    }
    let home = ("HOME".to_owned(), "/h".to_owned());
    let environment: Environment = [home].into_iter().collect();
    resolve(&settings, &environment, &Profiles, &mut Findings::default()).unwrap()
}

/// The file of the CLI.
struct Profiles;

impl Files for Profiles {
    fn read(&self, path: &Path) -> Result<FileContent, FileError> {
        match path == Path::new("/h/.aliyun/config.json") {
            true => FileContent::from_bytes(PROFILES.replace("CANARY", CANARY).into(), None),
            false => Err(FileError::NotFound),
        }
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        self.read(path)
    }
}

/// A reply to a call, or the output of a process.
struct Reply {
    /// The status; `None` if the call fails.
    status: Option<u16>,
    body: Vec<u8>,
}

impl Reply {
    fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|byte| *byte == b'\n')?;
        let (status, body) = text.split_at(end);
        Some(Self {
            status: str::from_utf8(status).ok()?.parse().ok(),
            body: body.get(1..).unwrap_or_default().to_vec(),
        })
    }

    /// Returns the result of `effect`, with the canary in its secrets, and the bytes of its body.
    fn outcome(&self, effect: &Effect) -> (Outcome, Vec<u8>) {
        let mut body = mark_json(&self.body);
        let is_token = matches!(
            effect,
            Effect::Send(HttpRequest {
                call: Call::MetadataToken,
                ..
            })
        );
        if is_token && self.status == Some(200) {
            body = [CANARY.as_bytes(), &self.body].concat();
        }
        let outcome = match (effect, self.status) {
            (Effect::Run(_), Some(status)) => Outcome::Process(ProcessOutput::Ended {
                is_success: status == 200,
                status: format!("exit status: {status}"),
                stdout: body.clone().into(),
                // Errors quote the standard error, which holds other secrets than the output.
                stderr: CANARY_IN_ERRORS
                    .replace("CANARY", CANARY)
                    .into_bytes()
                    .into(),
            }),
            (Effect::Run(_), None) => Outcome::Process(ProcessOutput::NotStarted {
                reason: "no such file".to_owned(),
            }),
            (_, Some(status)) => Outcome::Http(HttpReply::Response(HttpResponse {
                status,
                date: Some(NOW),
                body: body.clone().into(),
            })),
            (_, None) if self.body.is_empty() => Outcome::Http(HttpReply::TooLarge),
            (_, None) => Outcome::Http(HttpReply::Failed(CallFailure {
                text: "the connection was closed".to_owned(),
                advice: self
                    .body
                    .starts_with(b"advice")
                    .then(|| "set a variable".to_owned()),
                is_timeout: self.body.starts_with(b"timeout"),
            })),
        };
        (outcome, body)
    }
}

/// What a process prints on standard error: its argument, and a secret.
const CANARY_IN_ERRORS: &str = "failed with CANARY\nAccessKeySecret: CANARY\n";

#[track_caller]
fn check_secrecy(text: &str) {
    assert!(!has_canary(text.as_bytes()), "{text}");
}

/// Checks that a part of a key is from one of the bodies, where an escape may stand for a character.
#[track_caller]
fn check_source(part: &str, bodies: &[Vec<u8>]) {
    let holds = |body: &Vec<u8>| {
        body.contains(&b'\\')
            || body
                .windows(part.len())
                .any(|window| window == part.as_bytes())
    };
    assert!(
        !part.is_empty() && bodies.iter().any(holds),
        "a key that no reply holds: {part}"
    );
}
