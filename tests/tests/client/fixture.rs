//! A server, its STS, and the services that issue keys to the client.

use std::fs;
use std::path::PathBuf;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::cloud_sso::{Assignment, CloudSso};
use ack_ram_tests::connect_proxy::ConnectProxy;
use ack_ram_tests::dates;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::key_url::KeyUrl;
use ack_ram_tests::metadata::{self, MetadataMode, MetadataService};
use ack_ram_tests::oauth::OAuth;
use ack_ram_tests::sts::{Emulator, Fault, Principal, Role, demo, oidc_token};
use ack_ram_tests::test_authority::TestAuthority;
use serde_json::{Value, json};
use tempfile::TempDir;

pub const OIDC_PROVIDER_ARN: &str = "acs:ram::1234567890123456:oidc-provider/ack-rrsa";
const OIDC_ISSUER: &str = "https://oidc-ack.example.com/c0123";
const OIDC_AUDIENCE: &str = "sts.aliyuncs.com";

/// The URL at which people sign in to CloudSSO.
pub const SIGN_IN_URL: &str = "https://signin-cn-hangzhou.alibabacloudsso.com/device/login";
pub const SSO_ACCOUNT: &str = "1234567890123456";
pub const SSO_CONFIGURATION: &str = "ac-00fakeadmin";
/// The external ID that the role `guarded` requires.
pub const EXTERNAL_ID: &str = "partner:1/a=b";

/// Everything that the client can reach. Every service issues keys of an identity of its own.
pub struct ClientFixture {
    server: Fixture,
    pub metadata: MetadataService,
    pub url: KeyUrl,
    pub cloud_sso: CloudSso,
    pub oauth_china: OAuth,
    pub oauth_international: OAuth,
    pub proxy: ConnectProxy,
    authority: TestAuthority,
    folder: TempDir,
}

/// Returns the key of the user `frank`, who may not assume roles.
pub fn powerless_key() -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse("LTAI5tFakeFrank0000001").unwrap(),
        secret: Secret::new("FakeAccessSecretOfFrank000001"),
        security_token: None,
    }
}

/// Returns the ARN of the role `name` of the demonstration account.
pub fn role_arn(name: &str) -> String {
    format!("acs:ram::{}:role/{name}", demo::ACCOUNT)
}

fn session(role: &str, session: &str) -> Principal {
    Principal::AssumedRole {
        account: demo::ACCOUNT.to_owned(),
        role: role.to_owned(),
        role_id: format!("role-id-of-{role}"),
        session: session.to_owned(),
    }
}

/// The roles that the server maps to `<role>:<session>`, with the callers that they trust.
fn roles() -> Vec<Role> {
    let ecs = role_arn("ecs");
    let deploy = role_arn("deploy");
    [
        // For users with a key.
        ("deploy", vec![demo::USER_ARN]),
        // For sessions of another role.
        ("inner", vec![demo::ROLE_ARN, &ecs, &deploy]),
        // For pods.
        ("pod", vec![OIDC_PROVIDER_ARN]),
        // For every identity of the account that may assume roles.
        ("last", vec![demo::ROOT_ARN]),
        // For nobody.
        ("closed", vec![]),
    ]
    .into_iter()
    .map(|(name, trusted)| {
        let id = format!("role-id-of-{name}");
        Role::new(demo::ACCOUNT, name, &id).trusts(&trusted)
    })
    .chain([Role::new(demo::ACCOUNT, "guarded", "role-id-of-guarded")
        .trusts(&[demo::ROOT_ARN])
        .requires_external_id(EXTERNAL_ID)
        .max_session_seconds(43_200)])
    .collect()
}

fn mappings() -> Value {
    let names = [
        "dev", "deploy", "inner", "pod", "last", "guarded", "closed", "ecs", "url", "sso",
    ];
    let roles: Vec<Value> = names
        .iter()
        .map(|name| {
            json!({ "roleARN": role_arn(name), "username": format!("{name}:{{{{SessionName}}}}") })
        })
        .collect();
    json!({
        "mapUsers": [
            { "userARN": demo::USER_ARN, "username": "alice" },
            { "userARN": "acs:ram::1234567890123456:user/frank", "username": "frank" },
            { "userARN": "acs:ram::1234567890123456:user/dave", "username": "dave" },
            { "userARN": "acs:ram::1234567890123456:user/erin", "username": "erin" },
        ],
        "mapRoles": roles,
    })
}

fn user(name: &str) -> Principal {
    Principal::User {
        account: demo::ACCOUNT.to_owned(),
        name: name.to_owned(),
        id: format!("user-id-of-{name}"),
    }
}

impl ClientFixture {
    pub fn start() -> Self {
        Self::start_on(MetadataMode::V1AndV2)
    }

    /// Starts everything, with a metadata service that accepts the requests of `mode`.
    pub fn start_on(mode: MetadataMode) -> Self {
        let authority = TestAuthority::generate().unwrap();
        let sts = Emulator::builder()
            .demo()
            .user_without_policy(demo::ACCOUNT, "frank", "user-id-of-frank", powerless_key())
            .authority(&authority)
            .name("sts.aliyuncs.com")
            .oidc_provider(OIDC_PROVIDER_ARN, OIDC_ISSUER, &[OIDC_AUDIENCE]);
        let sts = roles()
            .into_iter()
            .fold(sts, |sts, role| sts.role_with(role));
        let sts = sts.start().unwrap();

        let tls = |name: &str| Some(authority.acceptor(&[name.to_owned()]).unwrap());
        let sso_host = "signin-cn-hangzhou.alibabacloudsso.com";
        let assignments = [
            (SSO_CONFIGURATION, session("sso", "carol")),
            ("ac-00fakeother", session("sso", "not-asked-for")),
        ];
        let assignments = assignments.map(|(configuration, owner)| Assignment {
            account_id: SSO_ACCOUNT,
            access_configuration_id: configuration,
            issuer: sts.key_issuer(owner),
        });
        let (clock, sso_tls) = (sts.clock(), tls(sso_host));
        let cloud_sso = CloudSso::start(clock, assignments.into(), sso_tls).unwrap();
        let oauth = |client_id, host, name| {
            OAuth::start(client_id, sts.key_issuer(user(name)), tls(host)).unwrap()
        };
        let oauth_china = oauth("4038181954557748008", "oauth.aliyun.com", "dave");
        let oauth_international = oauth("4103531455503354461", "oauth.alibabacloud.com", "erin");
        let ecs = sts.key_issuer(session("ecs", "i-0001"));
        let metadata = MetadataService::start(mode, ecs).unwrap();
        let url = KeyUrl::start(sts.key_issuer(session("url", "sidecar"))).unwrap();

        let proxy = ConnectProxy::start().unwrap();
        for (host, address) in [
            ("sts.aliyuncs.com", sts.address()),
            ("oauth.aliyun.com", oauth_china.http.address()),
            ("oauth.alibabacloud.com", oauth_international.http.address()),
            (sso_host, cloud_sso.http.address()),
        ] {
            proxy.route(&format!("{host}:443"), address);
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        Self {
            server: Fixture::builder().sts(sts).settings(&mappings()).start(),
            metadata,
            url,
            cloud_sso,
            oauth_china,
            oauth_international,
            proxy,
            authority,
            folder,
        }
    }

    pub fn sts(&self) -> &Emulator {
        &self.server.sts
    }

    /// Returns the file with the authority of all services.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Starts a service of the same identity as [`Self::url`] that requires a user and a password.
    pub fn guarded_url(&self) -> KeyUrl {
        KeyUrl::start_for("me:s3cret", self.url.issuer().clone()).unwrap()
    }

    /// Starts a service of the same identity as [`Self::url`] with HTTPS for `name` and 127.0.0.1. Its certificate is from
    /// the authority of all services.
    pub fn encrypted_url(&self, name: &str) -> KeyUrl {
        self.encrypted_url_of(&self.authority, name)
    }

    /// Starts a service as [`Self::encrypted_url`] does, with a certificate from an authority that the client does not
    /// trust.
    pub fn untrusted_url(&self, name: &str) -> KeyUrl {
        self.encrypted_url_of(&TestAuthority::generate().unwrap(), name)
    }

    fn encrypted_url_of(&self, authority: &TestAuthority, name: &str) -> KeyUrl {
        let names = [name.to_owned(), "127.0.0.1".to_owned()];
        let tls = authority.acceptor(&names).unwrap();
        KeyUrl::start_with_tls(self.url.issuer().clone(), tls).unwrap()
    }

    /// Returns an OIDC token of a pod.
    pub fn pod_token(&self, seconds: i64) -> String {
        let end = self.sts().now().plus_seconds(seconds);
        oidc_token(
            OIDC_ISSUER,
            OIDC_AUDIENCE,
            "system:serviceaccount:default:app",
            end,
        )
    }

    /// Returns the username that the server grants `token`, or the reason of its denial.
    pub async fn review(&self, token: &str) -> Result<String, String> {
        let reply = self.server.review(&Secret::new(token)).await;
        let status = &reply.body["status"];
        if reply.is_granted() {
            Ok(status["user"]["username"].as_str().unwrap().to_owned())
        } else {
            Err(reply.body.to_string())
        }
    }

    /// Waits until a token of `--no-cache` differs from all earlier ones, since its date does.
    pub async fn wait_for_the_next_second(&self) {
        let now = dates::now();
        eventually("the next second", async || dates::now() > now).await;
    }

    /// Makes STS fail every request for a session of a role, until faults end. The server can still ask STS.
    pub fn fail_assume_role(&self, fault: Fault) {
        let sts = self.sts();
        sts.fault_next_of_action("AssumeRole", usize::MAX, fault);
    }

    /// Returns the number of calls to each service.
    pub fn calls(&self) -> Calls {
        let oauth = [&self.oauth_china, &self.oauth_international];
        Calls {
            assume_role: self.sts().count("AssumeRole"),
            oidc: self.sts().count("AssumeRoleWithOIDC"),
            metadata_token: self.metadata.http.count(metadata::TOKEN_PATH),
            metadata_role: self.metadata.http.count(metadata::ROLE_PATH),
            metadata_key: self.metadata.key_requests(),
            url: self.url.key_requests(),
            cloud_sso: self.cloud_sso.key_requests(),
            refresh: oauth.iter().map(|oauth| oauth.refreshes()).sum(),
            exchange: oauth.iter().map(|oauth| oauth.exchanges()).sum(),
        }
    }
}

/// The number of calls to each service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub assume_role: usize,
    pub oidc: usize,
    pub metadata_token: usize,
    pub metadata_role: usize,
    pub metadata_key: usize,
    pub url: usize,
    pub cloud_sso: usize,
    pub refresh: usize,
    pub exchange: usize,
}

impl Calls {
    pub const NONE: Self = Self {
        assume_role: 0,
        oidc: 0,
        metadata_token: 0,
        metadata_role: 0,
        metadata_key: 0,
        url: 0,
        cloud_sso: 0,
        refresh: 0,
        exchange: 0,
    };
    /// A metadata token, and the key of a known role.
    pub const METADATA_KEY: Self = Self {
        metadata_token: 1,
        metadata_key: 1,
        ..Self::NONE
    };
    /// A metadata token, the name of the role, and its key.
    pub const METADATA_ROLE_AND_KEY: Self = Self {
        metadata_role: 1,
        ..Self::METADATA_KEY
    };
    pub const ASSUME_ROLE: Self = Self {
        assume_role: 1,
        ..Self::NONE
    };
    pub const OIDC: Self = Self {
        oidc: 1,
        ..Self::NONE
    };
    pub const URL: Self = Self {
        url: 1,
        ..Self::NONE
    };

    /// Returns the calls since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            assume_role: self.assume_role - earlier.assume_role,
            oidc: self.oidc - earlier.oidc,
            metadata_token: self.metadata_token - earlier.metadata_token,
            metadata_role: self.metadata_role - earlier.metadata_role,
            metadata_key: self.metadata_key - earlier.metadata_key,
            url: self.url - earlier.url,
            cloud_sso: self.cloud_sso - earlier.cloud_sso,
            refresh: self.refresh - earlier.refresh,
            exchange: self.exchange - earlier.exchange,
        }
    }

    /// Returns these calls and `more` AssumeRole calls.
    pub fn and_assume_role(self, more: usize) -> Self {
        Self {
            assume_role: self.assume_role + more,
            ..self
        }
    }
}

/// Returns the members of a profile with `key`.
pub fn key_members(key: &AccessKey) -> Value {
    let mut members = json!({
        "access_key_id": key.id,
        "access_key_secret": key.secret.expose(),
    });
    if let Some(token) = &key.security_token {
        members["sts_token"] = token.expose().into();
    }
    members
}
