//! From a profile of the Alibaba Cloud CLI to a login, as a new user takes this way.

use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::Test;
use crate::fixture::{PluginFixture, role_arn};
use crate::home::Home;
use crate::kubeconfig::{Kubeconfig, Program};

pub const TESTS: &[Test] = &[(
    "role_profile_of_cli_logs_in_with_its_session_name",
    role_profile_of_cli_logs_in_with_its_session_name,
)];

const ROLE: &str = "profile";
const SESSION: &str = "carol@example.com";

fn role_profile_of_cli_logs_in_with_its_session_name(fixture: &PluginFixture) {
    let home = Home::without_key(fixture);
    let key = demo::user_key();
    let profile = json!({
        "name": "dev",
        "mode": "RamRoleArn",
        "access_key_id": key.id,
        "access_key_secret": key.secret.expose(),
        "ram_role_arn": role_arn(ROLE),
        "ram_session_name": SESSION,
        "expired_seconds": 900,
        "region_id": "cn-hangzhou",
        "sts_endpoint": fixture.sts().endpoint(),
    });
    let config = json!({ "current": "dev", "profiles": [profile], "meta_path": "" });
    home.write(".aliyun/config.json", &format!("{config:#}\n"));
    for program in Program::BOTH {
        home.write_kubeconfig(&Kubeconfig::new(program).args(&["--cluster-id", CLUSTER]));
        let answer = home.kubectl(&["auth", "whoami", "--output=json"]);
        assert!(answer.success, "{program:?}: {}", answer.stderr);
        assert_eq!(answer.stderr, "", "{program:?}");
        let review: Value = serde_json::from_str(&answer.stdout).unwrap();
        let user = &review["status"]["userInfo"];
        // A username cannot contain every character of a session name.
        assert_eq!(user["username"], "profile:carol-example.com", "{user}");
        assert_eq!(
            user["groups"],
            json!(["group-of-profile", "system:authenticated"]),
            "{user}"
        );
        assert_eq!(user["extra"]["sessionName"], json!([SESSION]), "{user}");
        assert_eq!(
            user["extra"]["canonicalArn"],
            json!([role_arn(ROLE)]),
            "{user}"
        );
    }
    // Both programs have the same plan, so they share a cached key.
    assert_eq!(fixture.assume_role_calls(ROLE), 1);
}
