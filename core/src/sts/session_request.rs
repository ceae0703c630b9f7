//! The requests `AssumeRole` and `AssumeRoleWithOIDC`, which return a temporary key (STS API reference, version
//! 2015-04-01).

use crate::protocol::acs3::{Authorization, CanonicalRequest, EMPTY_BODY_SHA256};
use crate::protocol::{percent, v2};
use crate::secret::Secret;
use crate::sign::AccessKey;
use crate::sts::role_parameters::{
    ExternalId, OidcProviderArn, RoleArn, SessionName, SessionPolicy, SessionSeconds,
};
use crate::time::UnixTime;

/// The session that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionParameters {
    /// The role.
    pub role: RoleArn,
    /// The name of the session.
    pub name: SessionName,
    /// The lifetime; `None` for [`SessionSeconds::DEFAULT`].
    pub seconds: Option<SessionSeconds>,
    /// The policy that takes permissions away from the session.
    pub policy: Option<SessionPolicy>,
}

/// What makes a request unique: its time, and a value that no other request has.
#[derive(Clone, Copy, Debug)]
pub struct RequestStamp<'a> {
    /// The current time.
    pub now: UnixTime,
    /// A random text of visible ASCII characters.
    pub nonce: &'a str,
}

/// A request for a temporary key. The method is `POST`, the path is `/`.
///
/// The caller adds `content-length` and, if it is not among the headers, `host`. `Debug` shows no secret.
#[derive(Debug, PartialEq, Eq)]
pub struct SessionRequest {
    path_and_query: Secret,
    headers: Vec<(&'static str, Secret)>,
    body: Secret,
}

impl SessionRequest {
    /// Builds `AssumeRole`, signed with `key` (request signature V3). `host` is the value of the `host` header.
    ///
    /// The parameters are in the query, because the API reads them there. The query contains no key and no security
    /// token. Never returns `None`, because HMAC accepts keys of any length.
    #[must_use]
    pub fn assume_role(
        parameters: &SessionParameters,
        external_id: Option<&ExternalId>,
        key: &AccessKey,
        host: &str,
        stamp: RequestStamp<'_>,
    ) -> Option<Self> {
        let date = stamp.now.to_string();
        let security_token = key.security_token.as_ref().map(Secret::expose);
        let headers: Vec<(&'static str, &str)> = [
            ("host", Some(host)),
            (v2::header::ACTION, Some("AssumeRole")),
            (v2::header::CONTENT_SHA256, Some(EMPTY_BODY_SHA256)),
            (v2::header::DATE, Some(&*date)),
            (v2::header::SECURITY_TOKEN, security_token),
            ("x-acs-signature-nonce", Some(stamp.nonce)),
            (v2::header::VERSION, Some(v2::VERSION)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let common = parameters.in_query();
        let mut query = borrow(&common);
        query.extend(external_id.map(|id| ("ExternalId", id.as_str())));
        query.extend(parameters.policy_pair());
        let request = CanonicalRequest {
            method: v2::METHOD,
            path: v2::PATH,
            query: &query,
            headers: &headers,
            body_sha256: EMPTY_BODY_SHA256,
        };
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let authorization = Authorization {
            access_key_id: key.id.clone(),
            signed_headers: &names.join(";"),
            signature: request.sign(&key.secret)?,
        }
        .to_header();
        let mut sent = vec![
            ("accept", Secret::new("application/json")),
            ("authorization", authorization),
        ];
        sent.extend(
            headers
                .iter()
                .map(|(name, value)| (*name, Secret::new(*value))),
        );
        Some(Self {
            path_and_query: target(&query),
            headers: sent,
            body: Secret::new(""),
        })
    }

    /// Builds `AssumeRoleWithOIDC`, which is not signed: `oidc_token` proves the identity of the caller. The token is in
    /// the body, not in the URL.
    #[must_use]
    pub fn assume_role_with_oidc(
        parameters: &SessionParameters,
        provider: &OidcProviderArn,
        oidc_token: &Secret,
        stamp: RequestStamp<'_>,
    ) -> Self {
        let date = stamp.now.to_string();
        let common = parameters.in_query();
        let mut query = borrow(&common);
        query.extend([
            ("Action", "AssumeRoleWithOIDC"),
            ("Format", "JSON"),
            ("OIDCProviderArn", provider.as_str()),
            ("SignatureNonce", stamp.nonce),
            ("Timestamp", &*date),
            ("Version", v2::VERSION),
        ]);
        let mut form = vec![("OIDCToken", oidc_token.expose())];
        form.extend(parameters.policy_pair());
        Self {
            path_and_query: target(&query),
            headers: vec![
                ("accept", Secret::new("application/json")),
                (
                    "content-type",
                    Secret::new("application/x-www-form-urlencoded"),
                ),
            ],
            body: Secret::new(percent::canonical_query(&form)),
        }
    }

    /// Returns the path and the query, escaped.
    #[must_use]
    pub fn path_and_query(&self) -> &Secret {
        &self.path_and_query
    }

    /// Returns the names, in lower case, and the values of the headers.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        self.headers.iter().map(|(name, value)| (*name, value))
    }

    /// Returns the body, which is empty or a form.
    #[must_use]
    pub fn body(&self) -> &Secret {
        &self.body
    }
}

impl SessionParameters {
    /// Returns the parameters that both requests have in the query.
    fn in_query(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("RoleArn", self.role.to_string()),
            ("RoleSessionName", self.name.to_string()),
        ];
        pairs.extend(
            self.seconds
                .map(|seconds| ("DurationSeconds", seconds.get().to_string())),
        );
        pairs
    }

    /// Returns the policy, which one request has in the query and the other one in the form.
    fn policy_pair(&self) -> Option<(&'static str, &str)> {
        self.policy
            .as_ref()
            .map(|policy| ("Policy", policy.as_str()))
    }
}

fn borrow<'a>(pairs: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

fn target(query: &[(&str, &str)]) -> Secret {
    Secret::new(format!("{}?{}", v2::PATH, percent::canonical_query(query)))
}

#[cfg(test)]
mod tests;
