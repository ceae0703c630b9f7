//! Why an unknown answer is HTTP 503 without `Retry-After`, and never a denial.
//!
//! Sometimes the server cannot know who a caller is or what the caller may do. STS may be down, slow or throttling.
//! The mappings of a backend may not have arrived yet. The server itself may be overloaded. In all these cases the
//! outcome is [`Outcome::Unavailable`], and [`render_decision`] answers HTTP 503 with a Kubernetes `Status`.
//!
//! # Why not a denial
//!
//! A denial is a statement about the caller: the token is bad, or no rule maps the identity. Callers and
//! administrators act on denials. They replace keys, edit mappings and search the audit log. A denial during an
//! outage of STS sends them in the wrong direction, and hides the outage from monitoring.
//!
//! # Why not a grant
//!
//! A server could answer with an older identity, or with the rules of the next backend. Both give access that an
//! administrator may have removed in the meantime. For the same reason, a backend that is not synced blocks all
//! backends after it: the missing rules might deny the identity or give it fewer groups. [`RulesUnavailable`] lists
//! these cases. Identities in [`ProtectedIdentities`] are the exception, so that an administrator can log in during
//! an outage.
//!
//! # Who is to blame
//!
//! The error types separate the two cases, so that no code has to guess:
//!
//! | stage | the caller is at fault: denial | no answer: HTTP 503 |
//! |---|---|---|
//! | token | [`TokenError`], always | |
//! | STS | [`StsRefusal`] | [`StsUnavailable`] |
//! | rules | [`RulesRefusal`] | [`RulesUnavailable`] |
//!
//! STS throttles with HTTP 400, the status that it also uses for bad signatures. The code of the error decides, not
//! the status. A reply that this program cannot parse is [`StsUnavailable::Malformed`]: a change at STS must not look
//! like bad tokens.
//!
//! # Why there is no `Retry-After`
//!
//! The API server calls a webhook with client-go. If a 5xx answer has a `Retry-After` header, client-go repeats the
//! request itself until the time limit of the webhook, 30 seconds. Every login would wait that long, and the API
//! server would send the same token again and again. Without the header, the login fails immediately, and the client
//! decides when to retry.
//!
//! Clients behind a proxy do not have this problem. [`gateway`](crate::gateway) sends them `Retry-After`, with the
//! number of seconds that the text of the answer names ([`StsUnavailable::retry_after_seconds`]).
//!
//! [`Outcome::Unavailable`]: crate::decision::Outcome::Unavailable
//! [`ProtectedIdentities`]: crate::rules::ProtectedIdentities
//! [`RulesRefusal`]: crate::rules::RulesRefusal
//! [`RulesUnavailable`]: crate::rules::RulesUnavailable
//! [`StsRefusal`]: crate::sts::StsRefusal
//! [`StsUnavailable::Malformed`]: crate::sts::StsUnavailable::Malformed
//! [`StsUnavailable::retry_after_seconds`]: crate::sts::StsUnavailable::retry_after_seconds
//! [`StsUnavailable`]: crate::sts::StsUnavailable
//! [`TokenError`]: crate::token::TokenError
//! [`render_decision`]: crate::review::render_decision
