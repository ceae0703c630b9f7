//! Modified tokens: unsigned values do not reach the request, and signed values cannot be changed.

use std::fmt::Write as _;

use ack_ram_core::login::Step;
use ack_ram_core::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::inputs::SigningClient;
use crate::requests::is_signed_by;
use crate::{CASES, cases};

const PREFIX: &str = "k8s-ack-v2.";

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn unsigned_header_never_reaches_the_request(client in SigningClient::any(), style in Style::any(), changes in Unsigned::any()) {
        let token = client.token();
        let mut json = open(&token);
        changes.apply(&mut json);
        let changed = format!("{PREFIX}{}", STANDARD.encode(style.write(&json)));
        let (Step::CallSts(valid), Step::CallSts(changed)) = (client.begin(token.expose(), 0), client.begin(&changed, 0)) else {
            return Err(TestCaseError::fail("refused"));
        };
        prop_assert_eq!(valid.request(), changed.request());
    }

    #[test]
    fn changed_signed_value_is_rejected(client in SigningClient::any(), place in select(&SIGNED[..]), value in signed_value()) {
        let mut json = open(&client.token());
        let Some(slot) = json.pointer_mut(place).filter(|slot| **slot != value) else {
            return Ok(());
        };
        *slot = value;
        prop_assert!(!is_accepted(&client, &seal(&json)));
    }

    #[test]
    fn padded_signed_value_is_rejected(client in SigningClient::any(), place in select(&SIGNED[..]), space in "[ \t]{1,2}", is_before in any::<bool>()) {
        let mut json = open(&client.token());
        let Some(Value::String(value)) = json.pointer_mut(place) else {
            return Ok(());
        };
        value.insert_str(if is_before { 0 } else { value.len() }, &space);
        prop_assert!(!is_accepted(&client, &seal(&json)));
    }

    #[test]
    fn changed_date_is_rejected(client in SigningClient::any(), seconds in 1..20 * 60_i64, is_back in any::<bool>()) {
        let mut json = open(&client.token());
        let date = client.date.plus_seconds(if is_back { -seconds } else { seconds });
        json["headers"]["x-acs-date"] = json!(date.to_string());
        prop_assert!(!is_accepted(&client, &seal(&json)));
    }

    #[test]
    fn changed_authorization_is_rejected(client in SigningClient::any(), from in any::<Index>(), to in any::<Index>(), new in "[ -~]{0,3}") {
        let mut json = open(&client.token());
        let authorization = json["headers"]["Authorization"].as_str().unwrap();
        let (from, to) = (from.index(authorization.len()), to.index(authorization.len()));
        let mut changed = authorization.to_owned();
        changed.replace_range(from.min(to)..from.max(to), &new);
        json["headers"]["Authorization"] = json!(changed);
        check_forgery(&client, &seal(&json))?;
    }

    #[test]
    fn added_parameter_is_rejected(client in SigningClient::any(), place in select(&["", "/query", "/headers"][..]), name in added_name(), value in signed_value()) {
        let mut json = open(&client.token());
        let object = json.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.entry(name).or_insert(value);
        check_forgery(&client, &seal(&json))?;
    }

    #[test]
    fn changed_byte_is_rejected(client in SigningClient::any(), at in any::<Index>(), new in any::<u8>()) {
        let token = client.token();
        let mut json = STANDARD.decode(&token.expose()[PREFIX.len()..]).unwrap();
        let at = at.index(json.len());
        json[at] = new;
        check_forgery(&client, &format!("{PREFIX}{}", STANDARD.encode(json)))?;
    }
}

/// Returns whether both this server and STS accept `token`.
fn is_accepted(client: &SigningClient, token: &str) -> bool {
    matches!(client.begin(token, 0), Step::CallSts(awaiting) if is_signed_by(awaiting.request(), client))
}

/// Checks that a forged token is refused by this server or by STS, or becomes the same request as the valid token.
fn check_forgery(client: &SigningClient, forged: &str) -> Result<(), TestCaseError> {
    let Step::CallSts(valid) = client.begin(client.token().expose(), 0) else {
        return Err(TestCaseError::fail("the valid token was refused"));
    };
    if let Step::CallSts(forged) = client.begin(forged, 0)
        && is_signed_by(forged.request(), client)
    {
        prop_assert_eq!(forged.request(), valid.request());
    }
    Ok(())
}

/// JSON pointers to all values that the signature of a token covers, or that have only one valid value.
const SIGNED: [&str; 11] = [
    "/clusterId",
    "/method",
    "/path",
    "/query",
    "/query/ACKClusterId",
    "/headers/Authorization",
    "/headers/x-acs-action",
    "/headers/x-acs-content-sha256",
    "/headers/x-acs-date",
    "/headers/x-acs-security-token",
    "/headers/x-acs-version",
];

fn signed_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        "[!-~]{1,40}".prop_map(Value::from),
        crate::inputs::date().prop_map(|date| json!(date.to_string())),
        select(vec![
            json!(null),
            json!({}),
            json!([]),
            json!("GET"),
            json!("POST"),
            json!("AssumeRole"),
        ]),
    ]
}

fn added_name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        select(vec![
            "ACKClusterId",
            "Action",
            "SignatureNonce",
            "ackclusterid",
            "accept",
            "body",
            "content-type",
            "host",
            "x-acs-security-token",
            "x-acs-signature-nonce",
        ])
        .prop_map(str::to_owned),
    ]
}

fn open(token: &Secret) -> Value {
    let json = STANDARD.decode(&token.expose()[PREFIX.len()..]).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn seal(json: &Value) -> String {
    format!("{PREFIX}{}", STANDARD.encode(json.to_string()))
}

/// Changes of unsigned values of a token.
#[derive(Clone, Debug)]
struct Unsigned {
    user_agent: Option<String>,
    accept: Option<String>,
    has_cluster_id: bool,
    is_uppercase: bool,
}

impl Unsigned {
    fn any() -> impl Strategy<Value = Self> {
        let text = || proptest::option::of(any::<String>());
        (text(), text(), any::<bool>(), any::<bool>()).prop_map(
            |(user_agent, accept, has_cluster_id, is_uppercase)| Self {
                user_agent,
                accept,
                has_cluster_id,
                is_uppercase,
            },
        )
    }

    fn apply(&self, token: &mut Value) {
        if !self.has_cluster_id {
            token.as_object_mut().unwrap().remove("clusterId");
        }
        let headers = token["headers"].as_object_mut().unwrap();
        headers.remove("user-agent");
        for (name, value) in [("user-agent", &self.user_agent), ("accept", &self.accept)] {
            headers.extend(value.iter().map(|value| (name.to_owned(), json!(value))));
        }
        if self.is_uppercase {
            *headers = std::mem::take(headers)
                .into_iter()
                .map(|(name, value)| (name.to_ascii_uppercase(), value))
                .collect();
        }
    }
}

/// A style in which the same JSON is written.
#[derive(Clone, Debug)]
struct Style {
    /// The space around every value and name.
    space: String,
    /// The distance between two escaped characters of a string.
    escape_every: usize,
    /// The number of positions by which the members of each object are rotated.
    rotation: usize,
}

impl Style {
    fn any() -> impl Strategy<Value = Self> {
        ("[ \t\r\n]{0,2}", 2..9_usize, 0..9_usize).prop_map(|(space, escape_every, rotation)| {
            Self {
                space,
                escape_every,
                rotation,
            }
        })
    }

    fn write(&self, json: &Value) -> String {
        let space = &self.space;
        match json {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                let rotation = self.rotation % members.len();
                members.rotate_left(rotation);
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(name, value)| format!("{}:{}", self.write_text(name), self.write(value)))
                    .collect();
                format!("{space}{{{}}}{space}", members.join(","))
            }
            Value::String(text) => self.write_text(text),
            other => panic!("unexpected value in a token: {other}"),
        }
    }

    fn write_text(&self, text: &str) -> String {
        let space = &self.space;
        let mut out = format!("{space}\"");
        for (index, character) in text.chars().enumerate() {
            if index % self.escape_every == 0
                || character.is_control()
                || "\"\\".contains(character)
            {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").unwrap();
                }
            } else {
                out.push(character);
            }
        }
        out + "\"" + space
    }
}
