//! The services of all sources, which reply with marked secrets.

use std::sync::Arc;

use ack_ram_tests::connect_proxy::ConnectProxy;
use ack_ram_tests::http_service::{HttpService, ServiceCall, ServiceReply};
use ack_ram_tests::test_authority::TestAuthority;
use hyper::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::client::sources::{
    ISSUED_SECRET, ISSUED_TOKEN, METADATA_TOKEN, NEW_ACCESS_TOKEN, NEW_REFRESH_TOKEN, ROLE_SECRET,
    ROLE_TOKEN,
};

const HOSTS: [&str; 3] = [
    "sts.aliyuncs.com",
    "oauth.aliyun.com",
    "signin-cn-hangzhou.alibabacloudsso.com",
];

/// What the services and the process do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    Works,
    /// A refusal that quotes a secret, as STS does when a signature is wrong.
    Refuses,
    /// Half of the reply.
    Breaks,
    /// A reply without the ID of the key.
    LacksMember,
}

impl Reaction {
    pub(crate) const ALL: [Self; 4] = [Self::Works, Self::Refuses, Self::Breaks, Self::LacksMember];
}

/// The services: with TLS behind a proxy, and without TLS.
pub(crate) struct Services {
    pub(crate) plain: HttpService,
    pub(crate) proxy: ConnectProxy,
    pub(crate) authority: TestAuthority,
    reaction: Arc<Mutex<Reaction>>,
    _encrypted: HttpService,
}

impl Services {
    pub(crate) fn start() -> Self {
        let authority = TestAuthority::generate().unwrap();
        let reaction = Arc::new(Mutex::new(Reaction::Works));
        let start = |tls| {
            let reaction = Arc::clone(&reaction);
            let answer = move |call: &ServiceCall| answer(call, *reaction.lock());
            HttpService::start("canary", tls, answer).unwrap()
        };
        let names = HOSTS.map(str::to_owned);
        let encrypted = start(Some(authority.acceptor(&names).unwrap()));
        let proxy = ConnectProxy::start().unwrap();
        for host in HOSTS {
            proxy.route(&format!("{host}:443"), encrypted.address());
        }
        Self {
            plain: start(None),
            proxy,
            authority,
            reaction,
            _encrypted: encrypted,
        }
    }

    pub(crate) fn set(&self, reaction: Reaction) {
        *self.reaction.lock() = reaction;
    }
}

fn answer(call: &ServiceCall, reaction: Reaction) -> ServiceReply {
    let action = call.header("x-acs-action").unwrap_or_default();
    let key = key(ISSUED_SECRET, ISSUED_TOKEN);
    let body = match (&*call.path, action) {
        ("/latest/api/token", _) => return ServiceReply::text(StatusCode::OK, METADATA_TOKEN),
        ("/latest/meta-data/ram/security-credentials/", _) => {
            return ServiceReply::text(StatusCode::OK, "ecs");
        }
        ("/cloud-credentials", _) => json!({ "CloudCredential": key, "RequestId": "1" }),
        ("/v1/token", _) => json!({
            "access_token": NEW_ACCESS_TOKEN,
            "refresh_token": NEW_REFRESH_TOKEN,
            "expires_in": 3600,
        }),
        ("/v1/exchange", _) => json!({
            "accessKeyId": key["AccessKeyId"],
            "accessKeySecret": ISSUED_SECRET,
            "securityToken": ISSUED_TOKEN,
            "expiration": key["Expiration"],
            "requestId": "1",
        }),
        (_, "GetCallerIdentity") => json!({
            "AccountId": "1234567890123456",
            "Arn": "acs:ram::1234567890123456:user/alice",
            "IdentityType": "RAMUser",
            "PrincipalId": "200000000000000001",
            "UserId": "200000000000000001",
            "RequestId": "1",
        }),
        ("/", _) => json!({
            "AssumedRoleUser": {
                "Arn": "acs:ram::1234567890123456:assumed-role/dev/work",
                "AssumedRoleId": "300000000000000001:work",
            },
            "Credentials": self::key(ROLE_SECRET, ROLE_TOKEN),
            "RequestId": "1",
        }),
        _ => key,
    };
    let text = body.to_string();
    match reaction {
        Reaction::Works => ServiceReply::json(StatusCode::OK, &body),
        Reaction::Refuses => ServiceReply::json(StatusCode::FORBIDDEN, &refusal(call)),
        Reaction::Breaks => ServiceReply::text(StatusCode::OK, &text[..text.len() * 2 / 3]),
        Reaction::LacksMember => {
            let text = text.replace("ccessKeyId\"", "ccessKeyName\"");
            let text = text.replace("refresh_token\"", "renewal\"");
            ServiceReply::text(StatusCode::OK, &text)
        }
    }
}

fn key(secret: &str, token: &str) -> Value {
    json!({
        "AccessKeyId": "STS.FakeAccessKeyId0001",
        "AccessKeySecret": secret,
        "SecurityToken": token,
        "Expiration": "2090-01-02T03:04:05Z",
    })
}

/// Quotes the headers, as the message of STS about a wrong signature does.
fn refusal(call: &ServiceCall) -> Value {
    let header = |name| call.header(name).unwrap_or_default().to_owned();
    let quoted = format!(
        "server string to sign is: {} {} {}",
        header("authorization"),
        header("x-acs-security-token"),
        header("x-aliyun-ecs-metadata-token"),
    );
    json!({
        "Code": "SignatureDoesNotMatch",
        "Message": quoted,
        "ErrorCode": "InvalidAccessToken",
        "ErrorMessage": quoted,
        "error": "invalid_grant",
        "error_description": quoted,
        "RequestId": "1",
    })
}
