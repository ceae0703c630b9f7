//! When the server stops calling an endpoint of STS.
//!
//! If an endpoint of STS is down, each call to it takes a permit until it times out, and logins wait for nothing. A
//! circuit breaker (`Breaker` in `host/src/sts/breaker.rs`) stops the calls while the endpoint fails. Logins then use
//! the next endpoint of `server.sts.fallbackEndpoints`, or get HTTP 503 immediately.
//!
//! # Why a common circuit breaker is not safe here
//!
//! A common circuit breaker counts failed calls. But the content of a call comes from a token, and the sender of the
//! token is not trusted. A sender who finds a token that makes STS hang or fail could open the circuit breaker for
//! everyone, with a few requests. The circuit breaker would be the attack.
//!
//! # Failures have a scope
//!
//! Each failure counts against the party that can have caused it (`FailureScope`):
//!
//! - If no connection to the endpoint was made, nothing of a token was sent. The failure counts against the
//!   **endpoint**. Enough of them in a row open the circuit breaker.
//! - If the request was sent, the token may be the cause. The failure counts against the **credential** of the token.
//!   Such failures never open the circuit breaker by themselves, however many there are.
//!
//! # A probe decides
//!
//! An endpoint can also fail after it accepts connections. Then only failures of credentials occur. The circuit
//! breaker becomes suspicious if many calls fail for several credentials, one of which was granted a login before, or
//! if the endpoint has not answered for a while. In that case, the server sends a probe: a request without a token,
//! so that no caller influences its result. The circuit breaker opens only if the probe fails.
//!
//! While the circuit breaker is open, the server repeats the probe with growing, random pauses. The first successful
//! probe closes the circuit breaker. Logins are never used as probes: a user would wait for the result.
//!
//! # Success
//!
//! An answer with an HTTP status below 500 ends a streak of failures, also if STS refuses the token: an endpoint that
//! answers is alive. An old call that ends after the circuit breaker opened has no effect, because it says nothing
//! about the present.
