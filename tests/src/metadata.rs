//! An emulator of the metadata service of an ECS instance (ECS user guide, instance metadata).

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ack_ram_core::time::UnixTime;
use hyper::{Method, StatusCode};
use parking_lot::Mutex;

use crate::http_service::{HttpService, ServiceCall, ServiceReply};
use crate::sts::{IssuedKey, KeyIssuer, Principal, StsClock};

/// The path of metadata tokens.
pub const TOKEN_PATH: &str = "/latest/api/token";
/// The path of the name of the role. The name of the role after it is the path of the key.
pub const ROLE_PATH: &str = "/latest/meta-data/ram/security-credentials/";

const TOKEN_HEADER: &str = "x-aliyun-ecs-metadata-token";
const TTL_HEADER: &str = "x-aliyun-ecs-metadata-token-ttl-seconds";

/// The requests that the service accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataMode {
    /// Requests without a token. The service has no tokens.
    V1,
    /// Requests with or without a token.
    V1AndV2,
    /// Requests with a token.
    V2,
}

/// A running metadata service.
#[derive(Debug)]
pub struct MetadataService {
    /// The server, with its requests and faults.
    pub http: HttpService,
    state: Arc<Mutex<Instance>>,
}

#[derive(Debug)]
struct Instance {
    mode: MetadataMode,
    /// The name of the role; `None` if the instance has no role.
    role: Option<String>,
    issuer: KeyIssuer,
    key: IssuedKey,
    clock: StsClock,
    /// The end of each token.
    tokens: BTreeMap<String, UnixTime>,
}

impl MetadataService {
    /// Starts the service of an instance with the role of `issuer`, whose owner is a session of the role.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(mode: MetadataMode, issuer: KeyIssuer) -> io::Result<Self> {
        let role = match issuer.owner() {
            Principal::AssumedRole { role, .. } => Some(role.clone()),
            Principal::Root { .. } | Principal::User { .. } => None,
        };
        let state = Arc::new(Mutex::new(Instance {
            mode,
            role,
            key: issuer.issue(),
            clock: issuer.clock(),
            issuer,
            tokens: BTreeMap::new(),
        }));
        let instance = Arc::clone(&state);
        let http = HttpService::start("metadata", None, move |call| instance.lock().answer(call))?;
        Ok(Self { http, state })
    }

    /// Detaches the role from the instance.
    pub fn detach_role(&self) {
        self.state.lock().role = None;
    }

    /// Replaces the key of the instance, as the service does some time before a key expires.
    pub fn rotate_key(&self) {
        let mut state = self.state.lock();
        state.key = state.issuer.issue();
    }

    /// Returns the current key of the instance.
    #[must_use]
    pub fn key(&self) -> IssuedKey {
        self.state.lock().key.clone()
    }

    /// Returns the number of requests for the key of a role, including refused ones.
    #[must_use]
    pub fn key_requests(&self) -> usize {
        let calls = self.http.calls();
        let is_key = |path: &str| path.len() > ROLE_PATH.len() && path.starts_with(ROLE_PATH);
        calls.iter().filter(|call| is_key(&call.path)).count()
    }
}

impl Instance {
    fn answer(&mut self, call: &ServiceCall) -> ServiceReply {
        let empty = |status| ServiceReply::text(status, "");
        if call.path == TOKEN_PATH {
            return match (self.mode, &call.method) {
                (MetadataMode::V1, _) => empty(StatusCode::NOT_FOUND),
                (_, &Method::PUT) => self.issue_token(call),
                _ => empty(StatusCode::METHOD_NOT_ALLOWED),
            };
        }
        if call.method != Method::GET {
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !self.accepts(call) {
            return empty(StatusCode::FORBIDDEN);
        }
        match (&self.role, call.path.strip_prefix(ROLE_PATH)) {
            (Some(role), Some("")) => ServiceReply::text(StatusCode::OK, role),
            (Some(role), Some(name)) if name == role => self.key_reply(),
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    fn issue_token(&mut self, call: &ServiceCall) -> ServiceReply {
        // A request that came through a proxy gets no token.
        if call.headers.contains_key("x-forwarded-for") {
            return ServiceReply::text(StatusCode::FORBIDDEN, "");
        }
        let ttl = call.header(TTL_HEADER).and_then(|ttl| ttl.parse().ok());
        let Some(ttl @ 1..=21_600) = ttl else {
            return ServiceReply::text(StatusCode::BAD_REQUEST, "");
        };
        let token = format!("metadata-token-{}==", self.tokens.len());
        let end = self.clock.now().plus_seconds(ttl);
        self.tokens.insert(token.clone(), end);
        ServiceReply::text(StatusCode::OK, &token)
    }

    /// Returns whether the token of a request, or its absence, is right.
    fn accepts(&self, call: &ServiceCall) -> bool {
        match (self.mode, call.header(TOKEN_HEADER)) {
            (MetadataMode::V1, _) | (MetadataMode::V1AndV2, None) => true,
            (MetadataMode::V2, None) => false,
            (MetadataMode::V1AndV2 | MetadataMode::V2, Some(token)) => {
                let end = self.tokens.get(token);
                end.is_some_and(|end| *end > self.clock.now())
            }
        }
    }

    fn key_reply(&self) -> ServiceReply {
        let mut body = self.key.to_json();
        body["Code"] = "Success".into();
        body["LastUpdated"] = self.clock.now().to_string().into();
        ServiceReply::json(StatusCode::OK, &body)
    }
}

#[cfg(test)]
mod tests;
