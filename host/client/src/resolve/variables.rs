//! The environment variables that decide about the access key: the table in the documents, and in `doctor`.

/// A variable, or several variables of which the first that is set counts.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// The names, in their order.
    pub names: &'static [&'static str],
    /// What the variable means: a noun phrase.
    pub meaning: &'static str,
}

/// The variables with an access key ID.
pub const IDS: [&str; 5] = [
    "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "ALICLOUD_ACCESS_KEY",
    "ALIBABACLOUD_ACCESS_KEY_ID",
    "ALICLOUD_ACCESS_KEY_ID",
    "ACCESS_KEY_ID",
];

/// The variables with a secret, in the order of the families of [`IDS`].
pub const SECRETS: [&str; 5] = [
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "ALICLOUD_SECRET_KEY",
    "ALIBABACLOUD_ACCESS_KEY_SECRET",
    "ALICLOUD_ACCESS_KEY_SECRET",
    "ACCESS_KEY_SECRET",
];

/// The variables with a security token, in the order of the families of [`IDS`].
pub const SECURITY_TOKENS: [&str; 5] = [
    "ALIBABA_CLOUD_SECURITY_TOKEN",
    "ALICLOUD_ACCESS_KEY_STS_TOKEN",
    "ALIBABACLOUD_SECURITY_TOKEN",
    "ALICLOUD_SECURITY_TOKEN",
    "SECURITY_TOKEN",
];

/// The other variables whose values can contain a secret: a URL that returns a key, and proxies with a password, of which
/// kubectl passes the proxy of the cluster in `KUBERNETES_EXEC_INFO`.
const OTHER_SECRETS: [&str; 5] = [
    "ALIBABA_CLOUD_CREDENTIALS_URI",
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "KUBERNETES_EXEC_INFO",
];

/// Returns whether the value of a variable is a secret, or can contain one. The case of `name` is ignored.
#[must_use]
pub fn has_secret(name: &str) -> bool {
    let names = SECRETS.iter().chain(&SECURITY_TOKENS);
    let mut names = names.chain(&OTHER_SECRETS);
    names.any(|known| known.eq_ignore_ascii_case(name))
}

/// All variables.
pub const ALL: &[Variable] = &[
    Variable {
        names: &IDS,
        meaning: "ID of an access key",
    },
    Variable {
        names: &SECRETS,
        meaning: "Secret of the access key",
    },
    Variable {
        names: &SECURITY_TOKENS,
        meaning: "Security token of a temporary access key",
    },
    Variable {
        names: &["ALIBABA_CLOUD_ROLE_ARN"],
        meaning: "Role to assume with the access key or the OIDC token",
    },
    Variable {
        names: &["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"],
        meaning: "Identity provider of the OIDC token",
    },
    Variable {
        names: &["ALIBABA_CLOUD_OIDC_TOKEN_FILE"],
        meaning: "File with an OIDC token",
    },
    Variable {
        names: &[
            "ALIBABA_CLOUD_ROLE_SESSION_NAME",
            "ALICLOUD_ROLE_SESSION_NAME",
        ],
        meaning: "Name of the session of a role",
    },
    Variable {
        names: &["ALIBABA_CLOUD_EXTERNAL_ID"],
        meaning: "External ID of a role that has no other external ID",
    },
    Variable {
        names: &["ALIBABA_CLOUD_CREDENTIALS_URI"],
        meaning: "URL that returns a temporary access key",
    },
    Variable {
        names: &["ALIBABA_CLOUD_ECS_METADATA"],
        meaning: "Name of the role of the ECS instance",
    },
    Variable {
        names: &["ALIBABA_CLOUD_CREDENTIALS_FILE"],
        meaning: "INI file with credentials",
    },
    Variable {
        names: &[
            "ALIBABA_CLOUD_PROFILE",
            "ALIBABACLOUD_PROFILE",
            "ALICLOUD_PROFILE",
        ],
        meaning: "Profile of the Alibaba Cloud CLI, or section of the INI file",
    },
    Variable {
        names: &["ALIBABA_CLOUD_CONFIG_FILE"],
        meaning: "File of the Alibaba Cloud CLI; defaults to `~/.aliyun/config.json`",
    },
    Variable {
        names: &["ALIBABA_CLOUD_STS_ENDPOINT"],
        meaning: "STS endpoint",
    },
    Variable {
        names: &["ALIBABA_CLOUD_STS_HTTP_SCHEME"],
        meaning: "`http` for an STS endpoint on this machine that is a host without a scheme",
    },
    Variable {
        names: &["ALIBABA_CLOUD_STS_REGION"],
        meaning: "Region of the STS endpoint",
    },
    Variable {
        names: &["ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"],
        meaning: "`true` for the STS endpoint inside the VPCs of `ALIBABA_CLOUD_STS_REGION`",
    },
    Variable {
        names: &["ALIBABA_CLOUD_IMDS_ENDPOINT"],
        meaning: "Address of the metadata service; defaults to `http://100.100.100.200`",
    },
    Variable {
        names: &["ALIBABA_CLOUD_ECS_METADATA_DISABLED"],
        meaning: "`true` refuses the metadata service",
    },
    Variable {
        names: &["ALIBABA_CLOUD_IMDSV1_DISABLED"],
        meaning: "`true` refuses requests to the metadata service without a metadata token",
    },
    Variable {
        names: &["ALIBABA_CLOUD_IMDSV2_DISABLED"],
        meaning: "`true` requests no metadata token",
    },
    Variable {
        names: &["ALIBABA_CLOUD_CLI_PROFILE_DISABLED"],
        meaning: "`true` ignores the file of the Alibaba Cloud CLI",
    },
    Variable {
        names: &[
            "ALIBABA_CLOUD_IGNORE_PROFILE",
            "ALIBABACLOUD_IGNORE_PROFILE",
        ],
        meaning: "`TRUE` ignores the file of the Alibaba Cloud CLI",
    },
    Variable {
        names: &["ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"],
        meaning: "`true` or `1` refuses processes and URLs that return access keys",
    },
    Variable {
        names: &["ACK_RAM_TOOL_CREDENTIAL_TYPE"],
        meaning: "`--credential-type`",
    },
    Variable {
        names: &["ACK_RAM_TOOL_PROFILE_FILE"],
        meaning: "`--profile-file`",
    },
    Variable {
        names: &["ACK_RAM_TOOL_PROFILE_NAME", "ACK_RAM_TOOL_PROFIL_ENAME"],
        meaning: "`--profile-name`",
    },
    Variable {
        names: &["ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS"],
        meaning: "`--ignore-env-credentials`",
    },
    Variable {
        names: &["ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS"],
        meaning: "`--ignore-aliyun-cli-credentials`",
    },
    Variable {
        names: &["ACK_RAM_TOOL_STS_ENDPOINT"],
        meaning: "`--sts-endpoint`",
    },
    Variable {
        names: &["ACK_RAM_TOOL_REGION_ID"],
        meaning: "`--region-id`",
    },
];
