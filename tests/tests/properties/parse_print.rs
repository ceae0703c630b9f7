//! Values survive a round trip: a printed value parses to the same value, and a parsed text prints as the same text.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::protocol::acs3::{Authorization, Signature};
use ack_ram_core::review::TokenReview;
use ack_ram_core::time::UnixTime;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::inputs::{LAST_SECOND, Person, account, path};
use crate::{CASES, cases};

/// The first second of the year 0, before which dates have no wire form.
const FIRST_SECOND: i64 = -62_167_219_200;

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn arns_round_trip(person in Person::any(), role in path(), account in account(), is_role in any::<bool>()) {
        let text = if is_role {
            format!("acs:ram::{account}:role/{role}")
        } else {
            person.arn(&account)
        };
        let arn = Arn::parse(&text).unwrap();
        prop_assert_eq!(arn.to_string(), &*text);
        prop_assert_eq!(arn.account().as_str(), account);
        prop_assert_eq!(arn.canonical().canonical(), arn.canonical());
        let canonical = arn.canonical().to_string();
        let key = arn.key();
        prop_assert_eq!(key.as_str(), canonical.to_ascii_lowercase());
        let uppercase = Arn::parse(&text.to_ascii_uppercase()).unwrap();
        prop_assert_eq!(uppercase.key(), arn.key(), "the key depends on case");
    }

    #[test]
    fn arbitrary_arn_is_refused_or_round_trips(text in "(?i:acs:ram::)[0-9a]{0,3}:(?i:root|user/|role/|assumed-role/)[!-~]{0,20}") {
        if let Ok(arn) = Arn::parse(&text) {
            prop_assert!(arn.to_string().eq_ignore_ascii_case(&text));
            prop_assert_eq!(Arn::parse(&arn.to_string()), Ok(arn));
        }
    }

    #[test]
    fn dates_round_trip(seconds in FIRST_SECOND..=LAST_SECOND) {
        let date = UnixTime::from_seconds(seconds);
        prop_assert_eq!(UnixTime::parse(&date.to_string()), Some(date));
    }

    #[test]
    fn dates_without_wire_form_are_rejected(seconds in any::<i64>()) {
        let date = UnixTime::from_seconds(seconds);
        let is_on_the_wire = (FIRST_SECOND..=LAST_SECOND).contains(&seconds);
        let parsed = UnixTime::parse(&date.to_string());
        prop_assert_eq!(parsed, is_on_the_wire.then_some(date));
    }

    #[test]
    fn arbitrary_date_is_refused_or_round_trips(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z") {
        if let Some(date) = UnixTime::parse(&text) {
            prop_assert_eq!(date.to_string(), text);
        }
    }

    #[test]
    fn authorizations_round_trip(id in "[A-Za-z0-9._-]{1,128}", names in "[^,]{0,100}", hex in "[0-9a-f]{64}") {
        let authorization = Authorization {
            access_key_id: AccessKeyId::parse(&id).unwrap(),
            signed_headers: &names,
            signature: Signature::parse(&hex).unwrap(),
        };
        let header = authorization.to_header();
        prop_assert_eq!(Authorization::parse(header.expose()), Ok(authorization));
    }

    #[test]
    fn authorizations_have_each_part_once(parts in prop::collection::vec(select(&PARTS[..]), 2..5)) {
        let header = format!("ACS3-HMAC-SHA256 {}", parts.join(","));
        let is_complete = parts.len() == 3 && PARTS.iter().all(|part| parts.contains(part));
        match Authorization::parse(&header) {
            Ok(authorization) => {
                prop_assert!(is_complete);
                let printed = authorization.to_header();
                prop_assert_eq!(Authorization::parse(printed.expose()), Ok(authorization));
            }
            Err(_) => prop_assert!(!is_complete),
        }
    }

    #[test]
    fn access_key_ids_round_trip(text in prop_oneof![any::<String>(), "[ -~]{0,140}", "[A-Za-z0-9._-]{0,140}"]) {
        let is_id = (1..=128).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        let parsed = AccessKeyId::parse(&text).map(|id| id.to_string());
        prop_assert_eq!(parsed, is_id.then_some(text));
    }

    #[test]
    fn cluster_ids_round_trip(text in prop_oneof![any::<String>(), "[ -~]{0,20}", "[!-~]{240,260}"]) {
        let is_id = (1..=253).contains(&text.len()) && text.chars().all(|c| ('!'..='~').contains(&c));
        let parsed = ClusterId::parse(&text).map(|id| id.to_string());
        prop_assert_eq!(parsed, is_id.then_some(text));
    }

    #[test]
    fn token_reviews_round_trip(token in any::<String>(), is_beta in any::<bool>(), other in any::<String>()) {
        let version = if is_beta { "authentication.k8s.io/v1beta1" } else { "authentication.k8s.io/v1" };
        let body = json!({
            "kind": "TokenReview",
            "apiVersion": version,
            "metadata": { "creationTimestamp": null },
            "spec": { "token": token, "audiences": [other] },
        });
        match TokenReview::parse(body.to_string().as_bytes()) {
            Ok(review) => {
                prop_assert_eq!(review.token().expose(), token);
                prop_assert_eq!(review.version().api_version(), version);
            }
            Err(_) => prop_assert!(token.is_empty()),
        }
    }
}

const PARTS: [&str; 3] = [
    "Credential=LTAI",
    "SignedHeaders=x-acs-date",
    "Signature=3c383615ea763091aaba877065af5b2d191b513596a5ad9a7e42330991483a36",
];
