//! The login decision of ack-ram-authenticator.
//!
//! A client signs an STS `GetCallerIdentity` request without sending it, and wraps it in a token. This crate checks
//! every part of the token, rebuilds the request, parses the reply of STS, and maps the identity to a Kubernetes user
//! and groups:
//!
//! ```text
//! token --begin--> Step::CallSts(AwaitingSts) --request()--> [the host calls STS] --resume--> VerifiedIdentity --decide--> Decision
//!    \-----------> Step::Decided(Decision)
//! ```
//!
//! The crate does no I/O. It has no clock, no randomness and no global state: the host passes the time as an argument.
//! The same inputs give the same decision in every host, native or WebAssembly. No input causes a panic.
//!
//! A complete login, with the reply that STS gives to Alice's key:
//!
//! ```
//! use ack_ram_core::access_key::AccessKeyId;
//! use ack_ram_core::cluster_id::ClusterId;
//! use ack_ram_core::decision::Outcome;
//! use ack_ram_core::login::{self, Step};
//! use ack_ram_core::policy::TokenPolicy;
//! use ack_ram_core::rules::{Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source};
//! use ack_ram_core::secret::Secret;
//! use ack_ram_core::sign::{AccessKey, sign_token_v2};
//! use ack_ram_core::sts::StsReply;
//! use ack_ram_core::time::UnixTime;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = UnixTime::from_seconds(1_780_000_000);
//! let cluster = ClusterId::parse("c1").ok_or("not a cluster ID")?;
//!
//! // The client signs a request, and sends the token instead of the request.
//! let key = AccessKey {
//!     id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").ok_or("not an access key ID")?,
//!     secret: Secret::new("FakeSecret"),
//!     security_token: None,
//! };
//! let token = sign_token_v2(&key, &cluster, "kubectl", now).ok_or("not signed")?;
//!
//! // The server checks the token and rebuilds the request.
//! let policy = TokenPolicy::new(cluster);
//! let Step::CallSts(awaiting) = login::begin(token.expose(), &policy, now) else {
//!     return Err("the token was refused".into());
//! };
//! assert_eq!(awaiting.request().path_and_query().expose(), "/?ACKClusterId=c1");
//!
//! // The host sends the request. STS replies with the identity that the key belongs to.
//! let body = br#"{
//!     "IdentityType": "RAMUser",
//!     "AccountId": "1234567890123456",
//!     "PrincipalId": "200000000000000001",
//!     "UserId": "200000000000000001",
//!     "Arn": "acs:ram::1234567890123456:user/alice"
//! }"#;
//! let verified = awaiting.resume(StsReply::Response { status: 200, body }, now)?;
//!
//! // The rules turn the identity into a decision.
//! let source = Source { backend: Backend::MountedFile, position: "server.mapUsers[0]".to_owned() };
//! let mapping = Mapping::for_arn(
//!     source,
//!     Precedence::ListIndex(0),
//!     "acs:ram::1234567890123456:user/alice",
//!     "alice",
//!     vec!["dev".to_owned()],
//! );
//! let mut rules = BackendRules::new(Backend::MountedFile);
//! rules.apply(Rule::compile(mapping)?);
//! let decision = verified.decide(&RuleSet::new(vec![rules], []));
//!
//! let Outcome::Granted(user) = decision.outcome() else {
//!     return Err(decision.code().into());
//! };
//! assert_eq!(user.username, "alice");
//! assert_eq!(user.groups, ["dev"]);
//! # Ok(())
//! # }
//! ```
//!
//! The folder `core/examples` has programs that [decide], [sign] and [explain]. Run one with
//! `cargo run -p ack-ram-core --example decide`. The module [`manual`] gives the reasons for the design.
//!
//! [decide]: login::VerifiedIdentity::decide
//! [sign]: sign::sign_token_v2
//! [explain]: rules::RuleSet::explain
//!

#![forbid(unsafe_code)]

pub mod access_key;
pub mod arn;
#[cfg(feature = "cel")]
pub mod cel;
pub mod cluster_id;
pub mod decision;
mod expression_kind;
pub mod fingerprint;
pub mod gateway;
pub mod identity;
pub mod kubernetes_user;
pub mod login;
pub mod manual;
pub mod policy;
pub mod protocol;
pub mod review;
pub mod rules;
pub mod secret;
pub mod sign;
pub mod sts;
pub mod time;
pub mod token;
