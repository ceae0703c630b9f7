//! A cluster, the server that authenticates its users, and an STS with a role for each test.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::cluster::Cluster;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::{Emulator, RecordedRequest, Role, demo};
use serde_json::{Value, json};

/// The roles that Alice may assume.
const ROLES: [&str; 9] = [
    "versions", "clusters", "options", "commands", "uncached", "cached", "short", "revoked",
    "profile",
];
/// A role that nobody may assume.
pub const CLOSED_ROLE: &str = "closed";
/// A role that does not exist.
pub const ABSENT_ROLE: &str = "absent";
/// A role whose sessions soon reach their last minute, in which the client does not use them.
pub const SHORT_ROLE: &str = "short";
/// How long a session of [`SHORT_ROLE`] lasts, in seconds.
const SHORT_SESSION_SECONDS: i64 = 66;

/// The username of the user with [`permanent_key`].
pub const PERMANENT_USERNAME: &str = "frank";

/// STS, the authenticator that calls STS, and the API server that calls the authenticator.
pub struct PluginFixture {
    pub cluster: Cluster,
    pub server: Fixture,
}

impl PluginFixture {
    pub fn start() -> Self {
        let sts = Emulator::builder().demo().user(
            demo::ACCOUNT,
            PERMANENT_USERNAME,
            "200000000000000008",
            permanent_key(),
        );
        let sts = roles().fold(sts, |sts, role| sts.role_with(role));
        let sts = sts.start().expect("an STS");
        let settings = json!({
            // kubectl tries each failing command about five times, which would open the circuit breaker.
            "sts": { "breakerFailures": 0 },
            "mapUsers": [{
                "userARN": format!("acs:ram::{}:user/{PERMANENT_USERNAME}", demo::ACCOUNT),
                "username": PERMANENT_USERNAME,
            }],
            "mapRoles": ROLES.map(mapping),
        });
        let server = Fixture::builder().sts(sts).settings(&settings).start();
        let cluster = Cluster::builder()
            .webhook(&server.path("webhook.kubeconfig"), ReviewVersion::V1)
            .start();
        Self { cluster, server }
    }

    pub fn sts(&self) -> &Emulator {
        &self.server.sts
    }

    /// Returns the number of `AssumeRole` requests for the role `name`, including refused ones.
    pub fn assume_role_calls(&self, name: &str) -> usize {
        let arn = role_arn(name);
        let requests = self.sts().requests_for("AssumeRole");
        let is_for_role = |request: &&RecordedRequest| {
            let (_, query) = request.target.split_once('?').unwrap_or_default();
            form_urlencoded::parse(query.as_bytes())
                .any(|(key, value)| key == "RoleArn" && value == arn)
        };
        requests.iter().filter(is_for_role).count()
    }

    /// Returns the number of requests of the server that are signed with the key `id`.
    pub fn identity_calls(&self, id: &AccessKeyId) -> usize {
        let requests = self.sts().requests_for("GetCallerIdentity");
        let is_signed = |request: &&RecordedRequest| {
            let authorization = request.headers.get("authorization");
            let text = authorization.and_then(|value| value.to_str().ok());
            text.is_some_and(|text| text.contains(&format!("Credential={id},")))
        };
        requests.iter().filter(is_signed).count()
    }
}

/// Returns the ARN of the role `name`.
pub fn role_arn(name: &str) -> String {
    format!("acs:ram::{}:role/{name}", demo::ACCOUNT)
}

/// Returns the key of the user that logs in without a role.
pub fn permanent_key() -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse("LTAI5tFakeFrank0000001").expect("an ID"),
        secret: Secret::new("FakeFrankSecret00000000000001"),
        security_token: None,
    }
}

fn roles() -> impl Iterator<Item = Role> {
    let open = ROLES.iter().map(|&name| {
        let role = role(name).trusts(&[demo::USER_ARN]);
        match name {
            SHORT_ROLE => role.sessions_last(SHORT_SESSION_SECONDS),
            _ => role,
        }
    });
    open.chain([role(CLOSED_ROLE).trusts(&[])])
}

fn role(name: &str) -> Role {
    Role::new(demo::ACCOUNT, name, &format!("role-id-of-{name}"))
}

fn mapping(role: &str) -> Value {
    json!({
        "roleARN": role_arn(role),
        "username": format!("{role}:{{{{SessionName}}}}"),
        "groups": [format!("group-of-{role}")],
    })
}
