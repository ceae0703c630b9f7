//! Codes and severities of diagnostics.

use std::fmt;

use serde::{Serialize, Serializer};

/// Severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something behaves differently than it appears to, or is risky.
    Warning,
    /// Something is worth knowing, but may be intended.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Stable code of a kind of diagnostic.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum DiagnosticCode {
            $($(#[$doc])* $variant,)*
        }

        impl DiagnosticCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name, as JSON and `lint` show it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

codes! {
    /// The file cannot be read, or is not YAML.
    Unreadable = "unreadable",
    /// A setting has an invalid value. The server would not start.
    InvalidSetting = "invalid-setting",
    /// The cluster ID is missing. The server would not start.
    NoClusterId = "no-cluster-id",
    /// A key is unknown and ignored.
    UnknownKey = "unknown-key",
    /// A list is null.
    EmptyList = "empty-list",
    /// A setting has text where a list is expected.
    TextForList = "text-for-list",
    /// An account has no quotes, so YAML reads it as a number.
    NumericAccount = "numeric-account",
    /// An entry of a list is invalid and left out.
    InvalidEntry = "invalid-entry",
    /// `bind` is set and takes effect here, but the Go server ignores it.
    BindWins = "bind-wins",
    /// `joinGroups` is not set, although services may get only some of the groups without it.
    GroupsUnjoined = "groups-unjoined",
    /// The server cannot use a file or folder that it needs.
    UnusableFile = "unusable-file",
    /// An environment variable is invalid, or probably a mistake.
    Environment = "environment",
    /// The server cannot listen on an address or port.
    CannotListen = "cannot-listen",
    /// A certificate is rejected now, or will be soon.
    Certificate = "certificate",
    /// Other users of the machine can read or write a file that decides who gets access.
    ExposedFile = "exposed-file",
    /// Other machines can reach the port, and clients need no certificate.
    NoClientCertificate = "no-client-certificate",
    /// The configuration requires the server to run inside the cluster, but it runs outside.
    NotInCluster = "not-in-cluster",
    /// A mapping has no subject, or more than one.
    InvalidSubject = "invalid-subject",
    /// A mapping has an ARN that cannot be an identity.
    InvalidArn = "invalid-arn",
    /// A mapping has the ARN of a single role session.
    SessionArn = "session-arn",
    /// An ARN has a path, which no identity has.
    ArnWithPath = "arn-with-path",
    /// A mapping has an invalid pattern.
    InvalidPattern = "invalid-pattern",
    /// A mapping has an invalid user or role ID.
    InvalidId = "invalid-id",
    /// A mapping has an invalid CEL expression.
    InvalidExpression = "invalid-expression",
    /// A mapping has a username or group that is not a valid template.
    InvalidName = "invalid-name",
    /// A wildcard is used where wildcards are not supported, so the mapping matches no identity.
    WildcardInFile = "wildcard-in-file",
    /// A wildcard has an effect here, but not in the Go server.
    PatternGrantsAnew = "pattern-grants-anew",
    /// A pattern has another meaning in the Go server.
    PatternDiffersFromGo = "pattern-differs-from-go",
    /// A second mapping has the same subject and is never applied.
    Conflict = "conflict",
    /// A second mapping has the same subject and the same result.
    Duplicate = "duplicate",
    /// A mapping is never applied, because another mapping shadows it.
    Shadowed = "shadowed",
    /// A name starts with text that the caller can choose.
    UnprefixedSessionName = "unprefixed-session-name",
    /// A caller can choose a username that another mapping also produces.
    Impersonation = "impersonation",
    /// Two session names produce the same name.
    SessionNameCollision = "session-name-collision",
    /// A name is empty for the mapped identity.
    EmptyName = "empty-name",
    /// A name starts or ends with a space.
    OuterSpace = "outer-space",
    /// A name contains an invisible character.
    InvisibleCharacter = "invisible-character",
    /// A name starts with a prefix that its backend cannot use.
    ReservedName = "reserved-name",
    /// `groups` lists a `system:` name next to an expression, but the expression does not control who gets that name.
    UnconditionalSystemGroup = "unconditional-system-group",
    /// An expression produces a `system:` name that its mapping does not allow.
    UnlistedSystemName = "unlisted-system-name",
    /// `username` is set next to `usernameExpression`.
    UnusedUsername = "unused-username",
    /// A mapping grants `system:masters`.
    SystemMasters = "system-masters",
    /// A username starts with `system:`.
    SystemName = "system-name",
    /// A `system:` name contains a role or user name, which RAM administrators choose.
    OpenSystemName = "open-system-name",
    /// A mapping has no groups.
    NoGroups = "no-groups",
    /// A mapping has only a condition, and the condition requires no account: identities of foreign accounts may meet
    /// it.
    AnyAccount = "any-account",
    /// A validation refuses every login of a mapping.
    AlwaysRefused = "always-refused",
    /// All identities of an account can log in.
    WholeAccount = "whole-account",
    /// No identity can log in.
    NobodyMapped = "nobody-mapped",
    /// No identity can log in while the API server is down.
    OnlyDynamicBackends = "only-dynamic-backends",
    /// No identity could log in to repair the mappings in the cluster.
    NoBreakGlass = "no-break-glass",
    /// The mappings in the file wait for the mappings in the cluster.
    FileAfterDynamic = "file-after-dynamic",
}

impl fmt::Display for DiagnosticCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for DiagnosticCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
