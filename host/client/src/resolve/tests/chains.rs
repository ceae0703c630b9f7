//! Chains of `source_profile`.

use super::*;

fn ak(name: &str) -> String {
    format!(
        r#"{{"name": "{name}", "mode": "AK", "access_key_id": "LTAI5t1", "access_key_secret": "s"}}"#
    )
}

#[test]
fn chain_of_sources_is_bounded_and_has_no_loop() {
    let link = |name: usize, source: &str| {
        format!(
            r#"{{"name": "p{name}", "mode": "ChainableRamRoleArn", "source_profile": "{source}",
                "ram_role_arn": "acs:ram::1:role/r{name}", "ram_session_name": "s-{name}"}}"#
        )
    };
    let chain = |length: usize, end: &str| {
        let mut profiles: Vec<String> = (1..length)
            .map(|name| link(name, &format!("p{}", name + 1)))
            .collect();
        profiles.push(end.to_owned());
        Case::new()
            .file(
                CLI_FILE,
                &format!(
                    r#"{{"current": "p1", "profiles": [{}]}}"#,
                    profiles.join(",")
                ),
            )
            .text()
    };
    for length in [2, 10] {
        let text = chain(length, &ak(&format!("p{length}")));
        assert!(text.starts_with("the access key `LTAI5t1`"), "{text}");
        assert_eq!(text.matches("AssumeRole").count(), length - 1);
    }
    for length in [11, 20] {
        assert_eq!(
            chain(length, &ak(&format!("p{length}"))),
            "error: the chain of `source_profile` that starts at the profile `p1` in `/h/.aliyun/config.json` has more than 10 profiles; shorten the chain"
        );
    }
    for (end, names) in [
        (link(3, "p1"), "`p1`, `p2`, `p3`, `p1`"),
        (link(3, "p2"), "`p1`, `p2`, `p3`, `p2`"),
        (link(3, "p3"), "`p1`, `p2`, `p3`, `p3`"),
    ] {
        assert_eq!(
            chain(3, &end),
            format!(
                "error: the profiles {names} in `/h/.aliyun/config.json` name each other as `source_profile`; let the last profile of the chain hold an access key"
            )
        );
    }
    assert_eq!(
        chain(2, &ak("other")),
        "error: the profile `p2` in `/h/.aliyun/config.json`, which `source_profile` of the profile `p1` in `/h/.aliyun/config.json` names, does not exist; choose one of `p1`, `other`"
    );
}
