//! How a login becomes a grant, and what no code can forge.
//!
//! A login passes through a sequence of states. Each state is a type with private fields, and each transition takes
//! the state before it. Code that compiles therefore took every step, in order:
//!
//! | state | created by | proves |
//! |---|---|---|
//! | [`RecognizedToken`] | [`RecognizedToken::recognize`] | the text starts like a token of this program |
//! | [`AwaitingSts`] | [`login::begin`] | the token is well-formed, recent, and signed for this cluster |
//! | [`VerifiedIdentity`] | [`AwaitingSts::resume`] | STS reported who signed the token |
//! | [`Decision`] with [`Outcome::Granted`] | [`VerifiedIdentity::decide`] | the rules map the identity to a user |
//!
//! [`login::begin`] can also end the login: [`Step::Decided`] carries a denial, or the answer for a token of another
//! authenticator. It never carries a grant.
//!
//! # What cannot be forged
//!
//! - **A verified identity.** [`Identity`] is plain data, because previews such as `explain` need identities without
//!   a proof. [`VerifiedIdentity`] has no constructor. A cache can keep a value and use it again, but the value
//!   carries the time when its proof [expires](crate::login::VerifiedIdentity::expires).
//! - **A grant.** No public function creates a [`Decision`] with a grant, except for [`VerifiedIdentity::decide`].
//!   [`RuleSet::explain`] computes the same result for any identity, and returns a [`KubernetesUser`]. A user without
//!   a decision is not an answer: only [`render_decision`] writes a TokenReview, and it takes a [`Decision`].
//! - **A second call for one token.** [`AwaitingSts`] is not `Clone`, and `resume` consumes it. One call gives one
//!   identity.
//!
//! The other functions that return a decision, such as [`Decision::from_sts_error`] and [`Decision::unavailable`],
//! return a denial or an error. A mistake with them can lock users out, but cannot let anyone in.
//!
//! # What the host has to do right
//!
//! The types cannot check the source of data. A host has three duties: pass the reply of STS, received over a
//! verified TLS connection, to the state whose request was sent; pass the real time; and send each decision to the
//! client that sent the token. [`VerifiedIdentity::fingerprint`] and [`AwaitingSts::fingerprint`] identify the token.
//!
//! # Why there is no clock and no I/O
//!
//! `begin` and `resume` take the current time as an argument. The host makes the call to STS between them, with any
//! HTTP client: tokio in the server, callbacks in Envoy, a fixed reply in a test. The same inputs give the same
//! decision everywhere, so the test vectors cover all hosts. Each time is checked twice, because the call takes time:
//! `begin` checks the date of the token, and `resume` refuses a reply that arrives after the token expired.
//!
//! [`AwaitingSts::fingerprint`]: crate::login::AwaitingSts::fingerprint
//! [`AwaitingSts::resume`]: crate::login::AwaitingSts::resume
//! [`AwaitingSts`]: crate::login::AwaitingSts
//! [`Decision::from_sts_error`]: crate::decision::Decision::from_sts_error
//! [`Decision::unavailable`]: crate::decision::Decision::unavailable
//! [`Decision`]: crate::decision::Decision
//! [`Identity`]: crate::identity::Identity
//! [`KubernetesUser`]: crate::kubernetes_user::KubernetesUser
//! [`Outcome::Granted`]: crate::decision::Outcome::Granted
//! [`RecognizedToken::recognize`]: crate::login::RecognizedToken::recognize
//! [`RecognizedToken`]: crate::login::RecognizedToken
//! [`RuleSet::explain`]: crate::rules::RuleSet::explain
//! [`Step::Decided`]: crate::login::Step::Decided
//! [`VerifiedIdentity::fingerprint`]: crate::login::VerifiedIdentity::fingerprint
//! [`VerifiedIdentity::decide`]: crate::login::VerifiedIdentity::decide
//! [`VerifiedIdentity`]: crate::login::VerifiedIdentity
//! [`login::begin`]: crate::login::begin
//! [`render_decision`]: crate::review::render_decision
