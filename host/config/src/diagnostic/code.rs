//! Codes and severities of diagnostics.

use std::fmt;

use serde::{Serialize, Serializer};

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something works otherwise than it looks, or is risky.
    Warning,
    /// Something that is meant, perhaps, and good to know.
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
        /// What a diagnostic is about: a stable name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum DiagnosticCode {
            $($(#[$doc])* $variant,)*
        }

        impl DiagnosticCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name.
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
    /// A setting has a value that it cannot have: the server would not start.
    InvalidSetting = "invalid-setting",
    /// No cluster id: the server would not start.
    NoClusterId = "no-cluster-id",
    /// A key that is ignored.
    UnknownKey = "unknown-key",
    /// A list that is null.
    EmptyList = "empty-list",
    /// A text where a list belongs.
    TextForList = "text-for-list",
    /// An account without quotes, which YAML takes for a number.
    NumericAccount = "numeric-account",
    /// An entry of a list that is left out.
    InvalidEntry = "invalid-entry",
    /// A setting that Go ignores and this server follows.
    BindWins = "bind-wins",
    /// A setting on which it depends whether services get all groups, and which is not set.
    GroupsUnjoined = "groups-unjoined",
    /// A file or folder that the server needs cannot be used.
    UnusableFile = "unusable-file",
    /// A variable of the environment that cannot be used, or is probably meant otherwise.
    Environment = "environment",
    /// An address or port that the server cannot listen on.
    CannotListen = "cannot-listen",
    /// A certificate that is, or will soon be, refused.
    Certificate = "certificate",
    /// A file that decides who gets access, and that other users may read or write.
    ExposedFile = "exposed-file",
    /// The port can be reached from other machines, and clients need no certificate.
    NoClientCertificate = "no-client-certificate",
    /// The API server is asked from inside the cluster, and this is not inside.
    NotInCluster = "not-in-cluster",
    /// A mapping that names nobody, or somebody in two ways.
    InvalidSubject = "invalid-subject",
    /// A mapping whose ARN cannot be an identity.
    InvalidArn = "invalid-arn",
    /// A mapping whose ARN names one session of a role.
    SessionArn = "session-arn",
    /// An ARN with a path, which no identity has.
    ArnWithPath = "arn-with-path",
    /// A mapping whose pattern is refused.
    InvalidPattern = "invalid-pattern",
    /// A mapping whose user or role id is none.
    InvalidId = "invalid-id",
    /// A mapping whose CEL is refused.
    InvalidExpression = "invalid-expression",
    /// A mapping whose username or group is no template.
    InvalidName = "invalid-name",
    /// A wildcard where none is read: the mapping matches nobody.
    WildcardInFile = "wildcard-in-file",
    /// A wildcard that Go does not read and this server does.
    PatternGrantsAnew = "pattern-grants-anew",
    /// A pattern that Go reads otherwise.
    PatternDiffersFromGo = "pattern-differs-from-go",
    /// A second mapping of one subject, which never answers.
    Conflict = "conflict",
    /// A second mapping of one subject that says the same.
    Duplicate = "duplicate",
    /// A mapping that never answers, since another one does.
    Shadowed = "shadowed",
    /// A name that starts with what whoever logs in can choose.
    UnprefixedSessionName = "unprefixed-session-name",
    /// A username that a caller can choose, and that another mapping gives, too.
    Impersonation = "impersonation",
    /// A name that two session names share.
    SessionNameCollision = "session-name-collision",
    /// A name that is empty for the identity that is mapped.
    EmptyName = "empty-name",
    /// A name that starts or ends with a space.
    OuterSpace = "outer-space",
    /// A name with a character that nobody sees.
    InvisibleCharacter = "invisible-character",
    /// A name that its backend may not give.
    ReservedName = "reserved-name",
    /// A name of Kubernetes' own in `groups`, beside an expression that its author may believe to decide about it.
    UnconditionalSystemGroup = "unconditional-system-group",
    /// A name of Kubernetes' own that an expression gives and its mapping does not allow.
    UnlistedSystemName = "unlisted-system-name",
    /// A username beside an expression for it.
    UnusedUsername = "unused-username",
    /// A grant of `system:masters`.
    SystemMasters = "system-masters",
    /// A username of Kubernetes' own.
    SystemName = "system-name",
    /// A name of Kubernetes' own that whoever names roles or users completes.
    OpenSystemName = "open-system-name",
    /// A mapping without groups.
    NoGroups = "no-groups",
    /// A mapping by condition alone that asks for no account: somebody else's identities may meet it.
    AnyAccount = "any-account",
    /// A mapping whose every login a validation refuses.
    AlwaysRefused = "always-refused",
    /// An account all of whose identities may log in.
    WholeAccount = "whole-account",
    /// Nobody can log in.
    NobodyMapped = "nobody-mapped",
    /// Nobody can log in while the API server is not up.
    OnlyDynamicBackends = "only-dynamic-backends",
    /// Nobody could repair the mappings in the cluster.
    NoBreakGlass = "no-break-glass",
    /// The file waits for what is in the cluster.
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
