//! A request as it came off the wire.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::protocol::acs3::Authorization;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::http::request::Parts;

use super::fault::Signer;

/// One request with its query and form decoded, and nothing else interpreted.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) parts: Parts,
    pub(super) body: Bytes,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

impl Arrived {
    pub(super) fn new(parts: Parts, body: Bytes) -> Self {
        let query = decode(parts.uri.query().unwrap_or_default().as_bytes());
        let is_form = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let form = if is_form { decode(&body) } else { Vec::new() };
        Self {
            parts,
            body,
            query,
            form,
        }
    }

    /// The header's value; `None` also when it repeats or is no text, for a signature could then cover either.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.parts.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// The first parameter of this name in the query, else in the form.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .chain(&self.form)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Who signed the request, as it says.
    pub(super) fn signer(&self) -> Signer {
        if self.is_probe() {
            return Signer::Nobody;
        }
        let of_header = self
            .header("authorization")
            .and_then(|header| Some(Authorization::parse(header).ok()?.access_key_id));
        let of_query = || AccessKeyId::parse(self.parameter("AccessKeyId")?);
        of_header
            .or_else(of_query)
            .map_or(Signer::Unknown, Signer::Key)
    }

    /// Whether nobody signed the request, and it asks for nothing.
    pub(super) fn is_probe(&self) -> bool {
        let is_unsigned = !self.parts.headers.contains_key(AUTHORIZATION);
        let is_get = self.parts.method == Method::GET;
        is_get && is_unsigned && self.query.is_empty() && self.form.is_empty()
    }

    /// The query's keys and values.
    pub(super) fn query(&self) -> Vec<(&str, &str)> {
        borrow(&self.query).collect()
    }

    /// All parameters: the query's, then the form's.
    pub(super) fn parameters(&self) -> Vec<(&str, &str)> {
        borrow(&self.query).chain(borrow(&self.form)).collect()
    }

    /// What the client wants: from the header of ACS3, else from the parameter of RPC.
    pub(super) fn action(&self) -> Option<&str> {
        self.header("x-acs-action")
            .or_else(|| self.parameter("Action"))
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.header("x-acs-version")
            .or_else(|| self.parameter("Version"))
    }

    pub(super) fn host(&self) -> &str {
        self.parts
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or("sts.aliyuncs.com")
    }

    /// Path and query, as sent.
    pub(super) fn target(&self) -> String {
        self.parts
            .uri
            .path_and_query()
            .map_or_else(|| self.parts.uri.to_string(), ToString::to_string)
    }
}

fn decode(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn borrow(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}
