//! Requests as they arrive at the emulator.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::protocol::acs3::Authorization;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::http::request::Parts;

use super::fault::Signer;

/// A request whose query and form are decoded, and of which nothing else is interpreted.
#[derive(Debug)]
pub(super) struct DecodedRequest {
    pub(super) parts: Parts,
    pub(super) body: Bytes,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

impl DecodedRequest {
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

    /// Returns the value of the header `name`. Also returns `None` if the header repeats, because a signature could
    /// cover either value, or if the value is not text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.parts.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// Returns the first parameter `name` in the query, otherwise in the form.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .chain(&self.form)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the signer that the request claims.
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

    /// Returns whether the request is a probe: unsigned, without query or form.
    pub(super) fn is_probe(&self) -> bool {
        let is_unsigned = !self.parts.headers.contains_key(AUTHORIZATION);
        let is_get = self.parts.method == Method::GET;
        is_get && is_unsigned && self.query.is_empty() && self.form.is_empty()
    }

    /// Returns the keys and values of the query.
    pub(super) fn query(&self) -> Vec<(&str, &str)> {
        borrow(&self.query).collect()
    }

    /// Returns all parameters: first those of the query, then those of the form.
    pub(super) fn parameters(&self) -> Vec<(&str, &str)> {
        borrow(&self.query).chain(borrow(&self.form)).collect()
    }

    /// Returns the action: from the header of ACS3, otherwise from the parameter of RPC.
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

    /// Returns the path and the query as they were sent.
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
