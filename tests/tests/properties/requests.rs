//! Valid tokens: each is accepted, and the rebuilt request is the one that was signed.

use ack_ram_core::login::Step;
use ack_ram_core::protocol::acs3::{Authorization, CanonicalRequest, EMPTY_BODY_SHA256};
use ack_ram_core::secret::Secret;
use ack_ram_core::sts::StsRequest;
use proptest::prelude::*;

use crate::inputs::SigningClient;
use crate::{CASES, cases};

/// The tolerated difference of clocks, in seconds: 15 minutes of STS, and 5 minutes of this server.
const WINDOW: i64 = 20 * 60;

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn valid_token_becomes_the_signed_request(client in SigningClient::any(), late in -WINDOW..=WINDOW) {
        let token = client.token();
        let Step::CallSts(awaiting) = client.begin(token.expose(), late) else {
            return Err(TestCaseError::fail("refused"));
        };
        prop_assert!(is_signed_by(awaiting.request(), &client));
        prop_assert_eq!(awaiting.expires(), client.date.plus_seconds(15 * 60));
        prop_assert_eq!(awaiting.access_key_id(), &client.key.id);

        let other_secret = format!("{}!", client.key.secret.expose());
        let mut other = client.clone();
        other.key.secret = Secret::new(other_secret);
        prop_assert!(!is_signed_by(awaiting.request(), &other), "the signature of another secret is accepted");
    }

    #[test]
    fn expired_token_is_denied(client in SigningClient::any(), late in prop_oneof![Just(WINDOW + 1), WINDOW + 1..], is_early in any::<bool>()) {
        let late = if is_early { -late } else { late };
        match client.begin(client.token().expose(), late) {
            Step::CallSts(_) => return Err(TestCaseError::fail("accepted")),
            Step::Decided(decision) => {
                let expected = if is_early { "token_not_yet_valid" } else { "token_expired" };
                prop_assert_eq!(decision.code(), expected);
            }
        }
    }

    #[test]
    fn token_for_another_cluster_is_denied(client in SigningClient::any(), other in crate::inputs::cluster_id()) {
        prop_assume!(client.cluster_id != other);
        let server = SigningClient { cluster_id: other, ..client.clone() };
        match server.begin(client.token().expose(), 0) {
            Step::CallSts(_) => return Err(TestCaseError::fail("accepted")),
            Step::Decided(decision) => prop_assert_eq!(decision.code(), "token_other_cluster"),
        }
    }
}

/// Returns whether STS would accept `request` as signed by `client`, whose secret is the only one that it knows. All
/// values are read from the request as it is sent.
pub fn is_signed_by(request: &StsRequest, client: &SigningClient) -> bool {
    let headers: Vec<(&str, &str)> = request
        .headers()
        .map(|(name, value)| (name, value.expose()))
        .collect();
    let value = |wanted: &str| {
        let mut found = headers.iter().filter(|(name, _)| *name == wanted);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(*value)
    };
    let Some(Ok(authorization)) = value("authorization").map(Authorization::parse) else {
        return false;
    };
    let signed: Option<Vec<(&str, &str)>> = authorization
        .signed_headers
        .split(';')
        .map(|name| Some((name, value(name)?)))
        .collect();
    let Some(signed) = signed else {
        return false;
    };
    // STS refuses a request with `x-acs-*` headers that are not signed.
    let sent = headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-acs-"));
    if sent.count() != signed.len() {
        return false;
    }
    let Some((path, query)) = request.path_and_query().expose().split_once('?') else {
        return false;
    };
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let query: Vec<(&str, &str)> = query
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    let canonical = CanonicalRequest {
        method: request.method(),
        path,
        query: &query,
        headers: &signed,
        body_sha256: EMPTY_BODY_SHA256,
    };
    authorization.access_key_id == client.key.id
        && canonical.verify(&client.key.secret, &authorization.signature)
}
