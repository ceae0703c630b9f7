//! How a login finds its rule: precedence, index, and snapshots.
//!
//! A cluster may have 100,000 mappings, which change while logins are decided. A lookup has to be fast, its result
//! must not depend on chance, and no login may wait for a writer.
//!
//! # Precedence
//!
//! A [`RuleSet`] has the rules of each backend, in the order of the configuration. The first backend that maps an
//! identity answers, also if its answer is a refusal. For an identity in [`ProtectedIdentities`], the mounted file
//! answers first.
//!
//! Inside a backend, the more exact [`Subject`] takes precedence:
//!
//! 1. an immutable ID of a user or role
//! 2. an exact ARN
//! 3. a pattern, the longer literal prefix before the shorter one
//! 4. a condition without a subject
//!
//! Of two rules with the same subject, the older one wins; see [`Rule::precedence_key`]. A new mapping therefore
//! cannot take over an identity that another mapping already has. A rule whose condition does not hold is skipped. An
//! identity without a rule may still match an entry of `mapAccounts`.
//!
//! # Index
//!
//! [`BackendRules`] has an index for each kind of subject, so that no login searches all rules. IDs and ARNs are keys
//! of a hash map. The key of an ARN is [`Arn::key`]: the canonical ARN in lower case. The canonical ARN of a session
//! is the ARN of its role. Patterns are found by their literal prefix. Every pattern has the account in its prefix,
//! so a lookup tries only the lengths of prefixes that occur in the account of the identity.
//!
//! If no rule matches, the server searches an index of near misses and reports a few rules that differ in one part
//! ([`NearMiss`]). The number of compared rules has a limit, because a denied caller may have chosen the name.
//!
//! # Snapshots
//!
//! A login reads a clone of the rule set. A clone is cheap, and does not see later changes, so a decision uses one
//! state of the rules from start to end. A writer changes its own rule set and then publishes a clone.
//!
//! To make both cheap, the indexes are copy-on-write maps with 256 shards (`core/src/rules/cow_map.rs`). A change
//! after a clone copies the one shard that the key falls into. At a million entries, that is about 4,000 entries.
//! Long lists of rules with the same key are split into chunks for the same reason.
//!
//! The hash of the maps has a fixed seed. Administrators choose the keys, not callers, so a caller cannot cause
//! collisions to slow down logins.
//!
//! [`Arn::key`]: crate::arn::Arn::key
//! [`BackendRules`]: crate::rules::BackendRules
//! [`NearMiss`]: crate::rules::NearMiss
//! [`ProtectedIdentities`]: crate::rules::ProtectedIdentities
//! [`RuleSet`]: crate::rules::RuleSet
//! [`Rule::precedence_key`]: crate::rules::Rule::precedence_key
//! [`Subject`]: crate::rules::subject::Subject
