//! Who waits for STS, and who goes first.
//!
//! Every new token costs one call to STS. STS limits the rate of calls, and a call takes a moment, so the server
//! limits the number of calls at the same time (`server.sts.maxCalls`). Further calls wait in a queue (`FairQueue` in
//! `host/src/sts/queue.rs`).
//!
//! # The problem
//!
//! Anyone who can reach the server can send tokens. Without a queue that distinguishes callers, a flood of tokens
//! would fill all permits, and everyone else would wait behind the flood. The server cannot ignore the flood: until
//! STS answers, a forged token looks like a real one.
//!
//! # Credentials take turns
//!
//! A token claims to be signed with an access key. The queue has a line for each claimed credential
//! ([`CredentialId`]), and the lines take turns (`Lane` in `queue/lane.rs`). A thousand tokens of one credential wait
//! behind each other, not in front of others. If the waiting room is full, a random waiter of the longest line is
//! dropped and gets HTTP 503. A random choice gives each waiter of a long line a chance.
//!
//! The credential ID of a temporary access key includes the security token, which only its holder knows. The ID of a
//! permanent access key is not secret, so an attacker who knows one can put tokens into the line of its owner.
//!
//! # Proven credentials have room of their own
//!
//! An attacker can claim a new access key ID in each token, so that each token has a line of its own. Turns do not
//! help against such a flood. Therefore the server remembers the credentials whose last login was granted
//! ([`CredentialStandings`]). Unproven credentials get at most half of the permits and of the waiting room. The other
//! half is free for credentials that had a grant. A flood of invented credentials can slow down new users, but not
//! users who logged in before.
//!
//! Calls on behalf of proxies are limited to half in the same way ([`Requester`]). A flood on a public service must
//! not keep people out of the cluster.
//!
//! # Equal tokens share a call
//!
//! `kubectl` sends the same token with each request, and several may arrive before STS answers. The first starts a
//! call, and the others follow it (single flight). Followers take no permit, but they take memory, so they have a
//! [`FollowerRoom`] with the same rules.
//!
//! # Time
//!
//! A login waits for its permit for at most three fifths of `server.sts.timeout`. A call that starts later would time
//! out, and would take the permit from a call that has time left.
//!
//! [`CredentialId`]: ack_ram_core::access_key::CredentialId
//! [`CredentialStandings`]: crate::sts::CredentialStandings
//! [`FollowerRoom`]: crate::sts::FollowerRoom
//! [`Requester`]: crate::sts::Requester
