//! Edits of a list of entries, and what is in effect after each: for documents and for objects alike.

/// One edit. Lists are JSON; documents call `arn` `userARN`.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) before: &'static str,
    pub(crate) after: &'static str,
    /// What is in effect: `<name> = <username> <groups>`, sorted.
    pub(crate) expected: &'static [&'static str],
    /// The same, of objects that are edited one by one.
    pub(crate) of_objects: &'static [&'static str],
}

const fn case(
    name: &'static str,
    before: &'static str,
    after: &'static str,
    expected: &'static [&'static str],
) -> Case {
    Case {
        name,
        before,
        after,
        expected,
        of_objects: expected,
    }
}

const ALICE: &str = r#"[{"arn": "acs:ram::1:user/alice", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#;
const BOTH: &str = r#"[{"arn": "acs:ram::1:user/alice", "username": "u:{{UserName}}", "groups": ["system:masters"]},
  {"arn": "acs:ram::1:user/bob", "username": "u:{{UserName}}", "groups": ["system:masters"]}]"#;
const STAYS: &[&str] = &["acs:ram::1:user/alice = u:{{UserName}} system:masters,dev"];
const NARROWED: &[&str] = &["acs:ram::1:user/alice = u:{{UserName}} dev"];
const WITHOUT_GROUPS: &[&str] = &["acs:ram::1:user/alice = u:{{UserName}}"];

/// Edits of what every source can say.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "alice is deleted, bob has a slip, and carol is new",
        before: BOTH,
        after: r#"[{"arn": "acs:ram:1:user/bob", "username": "u:{{UserName}}", "groups": ["system:masters"]},
          {"arn": "acs:ram::1:user/carol", "username": "c"}]"#,
        expected: &[
            "acs:ram::1:user/bob = u:{{UserName}} system:masters",
            "acs:ram::1:user/carol = c",
        ],
        // The first object was alice's, and bob's is carol's.
        of_objects: &["acs:ram::1:user/carol = c"],
    },
    case(
        "the entry of alice becomes that of bob, with a slip",
        ALICE,
        r#"[{"arn": "acs:ram:1:user/bob", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "the entry of alice becomes that of bob, and something else is broken",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/bob", "username": "u:{{UserName}}", "groups": ["system:masters", "{{No}}"]}]"#,
        &[],
    ),
    case(
        "disabled by a prefix",
        ALICE,
        r#"[{"arn": "DISABLED-acs:ram::1:user/alice", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "disabled by one letter",
        ALICE,
        r#"[{"arn": "xacs:ram::1:user/alice", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "disabled by a sign of comments",
        ALICE,
        r##"[{"arn": "#acs:ram::1:user/alice", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"##,
        &[],
    ),
    case(
        "a dash in place of the ARN",
        ALICE,
        r#"[{"arn": "-", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "none in place of the ARN",
        ALICE,
        r#"[{"arn": "none", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "a blank ARN",
        ALICE,
        r#"[{"arn": "", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "null in place of the ARN",
        ALICE,
        r#"[{"arn": null, "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "no ARN",
        ALICE,
        r#"[{"username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "a number in place of the ARN",
        ALICE,
        r#"[{"arn": 1, "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "a slip in the ARN",
        ALICE,
        r#"[{"arn": "acs:ram::1:usr/alice", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        STAYS,
    ),
    case(
        "a slip in the ARN, and another case in the name",
        ALICE,
        r#"[{"arn": "acs:ram::1:usr/Alice", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "a slip in the ARN, and another account",
        ALICE,
        r#"[{"arn": "acs:ram::2:usr/alice", "username": "u:{{UserName}}", "groups": ["system:masters", "dev"]}]"#,
        &[],
    ),
    case(
        "a slip in the ARN, and fewer groups",
        ALICE,
        r#"[{"arn": "acs:ram::1:usr/alice", "username": "u:{{UserName}}", "groups": ["dev"]}]"#,
        NARROWED,
    ),
    case(
        "fewer groups, and a new one with an unknown variable",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/alice", "username": "u:{{UserName}}", "groups": ["dev", "{{Nmae}}"]}]"#,
        NARROWED,
    ),
    case(
        "fewer groups, and a new username with an unknown variable",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/alice", "username": "u:{{UserNmae}}", "groups": ["dev"]}]"#,
        NARROWED,
    ),
    case(
        "another username, and a group with an unknown variable",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/alice", "username": "other", "groups": ["dev", "{{Nmae}}"]}]"#,
        &["acs:ram::1:user/alice = other dev"],
    ),
    case(
        "a username of Kubernetes' own, and a group with an unknown variable",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/alice", "username": "system:admin", "groups": ["dev", "{{Nmae}}"]}]"#,
        &[],
    ),
    case(
        "an unknown variable in place of the username",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/alice", "username": "{{No}}", "groups": ["dev"]}]"#,
        &[],
    ),
    case(
        "no username",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/alice", "groups": ["dev"]}]"#,
        &[],
    ),
    case(
        "groups of another type",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/alice", "username": "u:{{UserName}}", "groups": {"dev": "dev"}}]"#,
        WITHOUT_GROUPS,
    ),
    case(
        "a group of another type",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/alice", "username": "u:{{UserName}}", "groups": [["system:masters"], "dev"]}]"#,
        NARROWED,
    ),
    case(
        "null groups, and a broken username",
        ALICE,
        r#"[{"arn": "acs:ram::1:user/alice", "username": "u:{{UserNmae}}", "groups": null}]"#,
        WITHOUT_GROUPS,
    ),
    case(
        "one session of a role, and a broken group",
        r#"[{"arn": "acs:ram::1:role/r", "username": "r", "groups": ["dev"]}]"#,
        r#"[{"arn": "acs:ram::1:assumed-role/r/s", "username": "r", "groups": ["dev", "{{No}}"]}]"#,
        &[],
    ),
    case(
        "text in place of the entry",
        ALICE,
        r#"["acs:ram::1:user/alice"]"#,
        &[],
    ),
];

const ON_CONDITION: &str = r#"[{"arnPattern": "acs:ram::1:user/a*", "match": "identity.accountId == '1'", "username": "u", "groups": ["system:masters", "dev"]}]"#;
const ANYONE: &str =
    r#"[{"match": "identity.accountId == '1'", "username": "u", "groups": ["dev"]}]"#;

/// Edits of what `mapRules` and objects alone can say.
#[cfg(feature = "cel")]
pub(crate) const RULES: &[Case] = &[
    case(
        "a condition that narrows does not compile",
        r#"[{"arnPattern": "acs:ram::1:user/a*", "username": "u", "groups": ["system:masters"]}]"#,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "match": "identity.userName ==", "username": "u", "groups": ["system:masters"]}]"#,
        &[],
    ),
    case(
        "another condition that does not compile",
        ON_CONDITION,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "match": "identity.accountId == '1' && ", "username": "u", "groups": ["system:masters"]}]"#,
        &[],
    ),
    case(
        "the same condition, fewer groups, and one that is broken",
        ON_CONDITION,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "match": "identity.accountId == '1'", "username": "u", "groups": ["dev", "{{No}}"]}]"#,
        &["acs:ram::1:user/a* = u dev if identity.accountId == '1'"],
    ),
    case(
        "another condition, and a group that is broken: both must hold",
        ON_CONDITION,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "match": "identity.userName != 'ann'", "username": "u", "groups": ["dev", "{{No}}"]}]"#,
        &[
            "acs:ram::1:user/a* = u dev if (identity.accountId == '1'\n) && (identity.userName != 'ann'\n)",
        ],
    ),
    case(
        "no condition any more, and a group that is broken",
        ON_CONDITION,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "username": "u", "groups": ["dev", "{{No}}"]}]"#,
        &["acs:ram::1:user/a* = u dev if identity.accountId == '1'"],
    ),
    case(
        "a condition that is new, and a group that is broken",
        r#"[{"arnPattern": "acs:ram::1:user/a*", "username": "u", "groups": ["dev"]}]"#,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "match": "identity.userName != 'ann'", "username": "u", "groups": ["dev", "{{No}}"]}]"#,
        &["acs:ram::1:user/a* = u dev if identity.userName != 'ann'"],
    ),
    case(
        "a misspelled `match`",
        ON_CONDITION,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "mtach": "identity.accountId == '2'", "username": "u", "groups": ["dev"]}]"#,
        &[],
    ),
    case(
        "a key that nobody knows",
        ON_CONDITION,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "match": "identity.accountId == '1'", "onlyOn": "monday", "username": "u", "groups": ["dev"]}]"#,
        &[],
    ),
    case(
        "misspelled `groups`",
        ON_CONDITION,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "match": "identity.accountId == '1'", "username": "u", "grups": ["dev"]}]"#,
        &["acs:ram::1:user/a* = u dev if identity.accountId == '1'"],
    ),
    case(
        "two subjects",
        ON_CONDITION,
        r#"[{"arnPattern": "acs:ram::1:user/a*", "userID": "1", "username": "u", "groups": ["dev"]}]"#,
        &[],
    ),
    case(
        "a narrower pattern, and a group that is broken",
        ON_CONDITION,
        r#"[{"arnPattern": "acs:ram::1:user/an*", "username": "u", "groups": ["dev", "{{No}}"]}]"#,
        &[],
    ),
    case(
        "an id that is none",
        r#"[{"userID": "77", "username": "u", "groups": ["dev"]}]"#,
        r#"[{"userID": "7 7", "username": "u", "groups": ["dev"]}]"#,
        &[],
    ),
    case(
        "the same id, and a group that is broken",
        r#"[{"userID": "77", "username": "u", "groups": ["dev"]}]"#,
        r#"[{"userID": "77", "username": "u", "groups": ["dev", "{{No}}"]}]"#,
        &["user id 77 = u dev"],
    ),
    case(
        "a condition alone, and a group that is broken",
        ANYONE,
        r#"[{"match": "identity.accountId == '1'", "username": "u", "groups": ["dev", "{{No}}"]}]"#,
        &["whoever meets the condition = u dev if identity.accountId == '1'"],
    ),
    case(
        "another condition alone, and a group that is broken",
        ANYONE,
        r#"[{"match": "identity.accountId == '1' && identity.userName == 'a'", "username": "u", "groups": ["dev", "{{No}}"]}]"#,
        &[],
    ),
    case(
        "another expression for groups, and a group that is broken",
        r#"[{"userID": "77", "username": "u", "groups": ["dev"], "groupsExpression": "['a']"}]"#,
        r#"[{"userID": "77", "username": "u", "groups": ["dev", "{{No}}"], "groupsExpression": "['b']"}]"#,
        &["user id 77 = u dev"],
    ),
    case(
        "the same expression for groups, and a group that is broken",
        r#"[{"userID": "77", "username": "u", "groups": ["dev"], "groupsExpression": "['a']"}]"#,
        r#"[{"userID": "77", "username": "u", "groups": ["dev", "{{No}}"], "groupsExpression": "['a']"}]"#,
        &["user id 77 = u dev and ['a']"],
    ),
    case(
        "another expression for the username, and a group that is broken",
        r#"[{"userID": "77", "usernameExpression": "'a'", "groups": ["dev"]}]"#,
        r#"[{"userID": "77", "usernameExpression": "'b'", "groups": ["dev", "{{No}}"]}]"#,
        &[],
    ),
];

/// How [`Case::expected`] says what `mapping` maps.
pub(crate) fn line(rule: &ack_ram_core::rules::Rule) -> String {
    let mapping = rule.to_mapping();
    let username = mapping.username_expression.unwrap_or(mapping.username);
    let named = format!(
        "{} = {username} {}",
        rule.subject(),
        mapping.groups.join(",")
    );
    let mut line = named.trim_end().to_owned();
    if let Some(expression) = mapping.groups_expression {
        line += &format!(" and {expression}");
    }
    if let Some(condition) = mapping.condition {
        line += &format!(" if {condition}");
    }
    line
}
