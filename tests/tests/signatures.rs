//! Both signature schemes against `vectors/signatures.json`: values from the documentation of Alibaba Cloud, from
//! requests of ack-ram-tool, or from its signer.

use std::collections::BTreeMap;

use ack_ram_core::protocol::acs3::{self, Authorization, CanonicalRequest, Signature};
use ack_ram_core::protocol::{percent, rpc};
use ack_ram_core::secret::Secret;

#[derive(serde::Deserialize)]
struct Vectors {
    acs3_hmac_sha256: Vec<Acs3>,
    rpc_hmac_sha1: Vec<Rpc>,
}

#[derive(serde::Deserialize)]
struct Acs3 {
    name: String,
    access_key_id: String,
    access_key_secret: String,
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: String,
    hashed_payload: String,
    canonical_request: String,
    string_to_sign: String,
    authorization: String,
    signature: String,
}

#[derive(serde::Deserialize)]
struct Rpc {
    name: String,
    access_key_secret: String,
    method: String,
    query: BTreeMap<String, String>,
    canonical_query: String,
    string_to_sign: String,
    signature: String,
    url: Option<String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../vectors/signatures.json")).unwrap()
}

/// The parts of a request that the ACS3 signature covers, in a form that tests can change.
#[derive(Clone)]
struct Request {
    secret: String,
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body_sha256: String,
}

impl Request {
    fn from_vector(vector: &Acs3, signed_headers: &str) -> Self {
        let signed = |name: &str| (name.to_owned(), vector.headers[name].clone());
        Self {
            secret: vector.access_key_secret.clone(),
            method: vector.method.clone(),
            path: vector.path.clone(),
            query: vector.query.clone().into_iter().collect(),
            headers: signed_headers.split(';').map(signed).collect(),
            body_sha256: acs3::body_sha256(vector.body.as_bytes()),
        }
    }

    fn canonical<R>(&self, then: impl FnOnce(&CanonicalRequest<'_>, &Secret) -> R) -> R {
        let request = CanonicalRequest {
            method: &self.method,
            path: &self.path,
            query: &borrow(&self.query),
            headers: &borrow(&self.headers),
            body_sha256: &self.body_sha256,
        };
        then(&request, &Secret::new(self.secret.as_str()))
    }

    fn accepts(&self, signature: &Signature) -> bool {
        self.canonical(|request, secret| request.verify(secret, signature))
    }

    /// Returns every string that the signature covers, with its name.
    fn covered(&mut self) -> Vec<(String, &mut String)> {
        let mut all = vec![
            ("secret".to_owned(), &mut self.secret),
            ("method".to_owned(), &mut self.method),
            ("path".to_owned(), &mut self.path),
            ("body hash".to_owned(), &mut self.body_sha256),
        ];
        for (part, pairs) in [("query", &mut self.query), ("header", &mut self.headers)] {
            for (name, value) in pairs {
                let label = format!("{part} {name}");
                all.push((format!("{label}, name"), name));
                all.push((label, value));
            }
        }
        all
    }
}

fn borrow(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// Returns copies of `text`, each with another letter or digit at one position.
fn one_character_changes(text: &str) -> impl Iterator<Item = String> + use<> {
    let characters: Vec<char> = text.chars().collect();
    (0..characters.len()).map(move |place| {
        let mut changed = characters.clone();
        changed[place] = if changed[place] == '0' { '1' } else { '0' };
        changed.into_iter().collect()
    })
}

#[test]
fn acs3_signature_vectors_are_reproduced() {
    for vector in vectors().acs3_hmac_sha256 {
        let name = &vector.name;
        let authorization = Authorization::parse(&vector.authorization).expect(name);
        assert_eq!(
            authorization.access_key_id.as_str(),
            vector.access_key_id,
            "{name}"
        );
        assert_eq!(
            authorization.to_header().expose(),
            vector.authorization,
            "{name}"
        );

        let request = Request::from_vector(&vector, authorization.signed_headers);
        assert_eq!(request.body_sha256, vector.hashed_payload, "{name}");
        request.canonical(|request, secret| {
            assert_eq!(request.text(), vector.canonical_request, "{name}");
            assert_eq!(request.string_to_sign(), vector.string_to_sign, "{name}");
            let signature = request.sign(secret).expect(name);
            assert_eq!(signature.to_hex(), vector.signature, "{name}");
            assert_eq!(signature, authorization.signature, "{name}");
        });
        assert!(request.accepts(&authorization.signature), "{name}");
    }
}

#[test]
fn acs3_signature_covers_every_character() {
    for vector in vectors().acs3_hmac_sha256 {
        let authorization = Authorization::parse(&vector.authorization).unwrap();
        let original = Request::from_vector(&vector, authorization.signed_headers);
        let labels = original.clone().covered().len();
        for index in 0..labels {
            let text = original.clone().covered()[index].1.clone();
            for changed in one_character_changes(&text) {
                let mut request = original.clone();
                let (label, covered) = &mut request.covered()[index];
                covered.clone_from(&changed);
                let label = label.clone();
                assert!(
                    !request.accepts(&authorization.signature),
                    "{}: {label} as `{changed}`",
                    vector.name
                );
            }
        }
        for changed in one_character_changes(&vector.signature) {
            let signature =
                Signature::parse(&changed).expect("the changed signature consists of hex digits");
            assert!(!original.accepts(&signature), "{}: {changed}", vector.name);
        }
    }
}

#[test]
fn rpc_signature_vectors_are_reproduced() {
    for vector in vectors().rpc_hmac_sha1 {
        let name = &vector.name;
        let secret = Secret::new(vector.access_key_secret.as_str());
        let parameters: Vec<_> = vector.query.into_iter().collect();
        let parameters = borrow(&parameters);
        assert_eq!(
            percent::canonical_query(&parameters),
            vector.canonical_query,
            "{name}"
        );
        assert_eq!(
            rpc::string_to_sign(&vector.method, &parameters),
            vector.string_to_sign,
            "{name}"
        );
        assert_eq!(
            rpc::sign(&vector.method, &parameters, &secret).as_ref(),
            Some(&vector.signature),
            "{name}"
        );
        assert!(
            rpc::verify(&vector.method, &parameters, &secret, &vector.signature),
            "{name}"
        );
        if let Some(url) = vector.url {
            let (_, query) = url.split_once("/?").unwrap();
            let received: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect();
            assert!(
                rpc::verify(
                    &vector.method,
                    &borrow(&received),
                    &secret,
                    &vector.signature
                ),
                "{name}: the parameters of the URL, including `Signature`"
            );
        }
    }
}

#[test]
fn rpc_signature_covers_every_character() {
    for vector in vectors().rpc_hmac_sha1 {
        let name = &vector.name;
        let accepts =
            |method: &str, parameters: &[(String, String)], secret: &str, signature: &str| {
                rpc::verify(method, &borrow(parameters), &Secret::new(secret), signature)
            };
        let (method, secret, signature) =
            (&vector.method, &vector.access_key_secret, &vector.signature);
        let parameters: Vec<_> = vector.query.into_iter().collect();

        for changed in one_character_changes(method) {
            assert!(
                !accepts(&changed, &parameters, secret, signature),
                "{name}: {changed}"
            );
        }
        for changed in one_character_changes(secret) {
            assert!(
                !accepts(method, &parameters, &changed, signature),
                "{name}: {changed}"
            );
        }
        for changed in one_character_changes(signature) {
            assert!(
                !accepts(method, &parameters, secret, &changed),
                "{name}: {changed}"
            );
        }
        for (index, (key, value)) in parameters.iter().enumerate() {
            let keys = one_character_changes(key).map(|key| (key, value.clone()));
            let values = one_character_changes(value).map(|value| (key.clone(), value));
            for changed in keys.chain(values) {
                let mut parameters = parameters.clone();
                parameters[index] = changed.clone();
                assert!(
                    !accepts(method, &parameters, secret, signature),
                    "{name}: {changed:?}"
                );
            }
        }
    }
}
