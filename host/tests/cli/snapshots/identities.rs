//! `verify` and `explain`: identities, and how they are mapped.

use std::fs;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, Fault, demo};

use super::Transcript;
use crate::program::TestFolder;

const RULES: &str = "\
clusterID: c1
server:
  protect: ['acs:ram::1:user/root']
  scrubbedAccounts: ['3']
  reservedPrefixConfig: [{backendMode: MountedFile, usernamePrefixReserveList: ['ops-']}]
  userValidationRules:
  - {expression: '!user.groups.exists(g, g == \"refused\")', message: ask for a break-glass account}
  mapUsers:
  - {userARN: 'acs:ram::1:user/alice', username: alice, groups: [dev]}
  - {userARN: 'acs:ram::1:user/alice', username: other}
  - {userARN: 'acs:ram::1:user/refused', username: r, groups: [refused]}
  - {userARN: 'acs:ram::1:user/reserved', username: ops-x, groups: [g]}
  - {userARN: 'acs:ram::1:user/empty', username: '{{RoleName}}', groups: [g]}
  - {userARN: alice, username: broken}
  - {userARN: 'acs:ram::1:user/root', username: root, groups: ['system:masters']}
  mapRoles:
  - {roleARN: 'acs:ram::1:role/dev', username: 'dev:{{SessionName}}', groups: ['{{AccountID}}', '{{RoleName}}']}
  mapRules:
  - {userID: '200', username: by-id}
  - {roleID: '77', username: by-role-id, groups: [g]}
  - {arnPattern: 'acs:ram::1:role/ops-*', match: 'identity.sessionName == \"bob\"', username: 'o:{{SessionNameRaw}}', groups: [o]}
  - {arnPattern: 'acs:ram::1:role/ops-*', usernameExpression: '\"ops:\" + identity.roleName', groupsExpression: '[identity.accountId]'}
  - {arn: 'acs:ram::1:role/system', usernameExpression: '\"system:\" + identity.roleName', groups: [g]}
  mapAccounts: ['2', '3']
";

const PEOPLE: &str = "\
clusterID: c1
server:
  mapUsers:
  - {userARN: 'acs:ram::1:user/alice', username: alice, groups: [dev]}
  - {userARN: 'acs:ram::1:user/alice', username: other}
  mapRules:
  - {roleID: '77', username: by-id}
  - {match: 'identity.roleName == \"Ops\"', username: 'ops:{{SessionName}}', groups: [ops]}
  mapAccounts: ['2']
  scrubbedAccounts: ['2']
";

#[test]
fn explain_prints_result_and_rule_of_identities() {
    let folder = TestFolder::new(&[
        ("config.yaml", RULES),
        (
            "cluster.yaml",
            "clusterID: c1\nserver: {backendMode: [CRD, MountedFile, ACKConfigMap]}\n",
        ),
    ]);
    let mut transcript = Transcript::new();
    transcript.file("config.yaml", RULES);
    for who in [
        &["acs:ram::1:user/alice"][..],
        &[
            "--arn",
            "acs:ram::1:user/Alice",
            "--access-key-id",
            "LTAI5t",
        ],
        &["acs:ram::1:user/alise"],
        &["acs:ram::4:user/alice"],
        &["acs:ram::1:role/alice"],
        &["acs:ram::1:user/refused"],
        &["acs:ram::1:user/reserved"],
        &["acs:ram::1:user/empty"],
        &["acs:ram::1:user/root"],
        &["acs:ram::1:role/dev"],
        &["acs:ram::1:assumed-role/dev/a@b"],
        &["acs:ram::1:assumed-role/ops-1/bob"],
        &["acs:ram::1:assumed-role/ops-1/eve"],
        &["acs:ram::1:role/system"],
        &["acs:ram::1:role/x", "--user-id", "77"],
        &["acs:ram::1:user/x", "--user-id", "200"],
        &["acs:ram::2:user/x"],
        &["acs:ram::2:root"],
        &["acs:ram::3:user/x"],
        &["acs:ram::9:user/nobody"],
    ] {
        transcript.run(
            &folder,
            &[&["explain", "-c", "config.yaml"], who].concat(),
            &[],
        );
    }
    for who in [
        "acs:ram::1:user/alice",
        "acs:ram::1:user/refused",
        "acs:ram::1:assumed-role/ops-1/eve",
        "acs:ram::4:user/alice",
    ] {
        transcript.run(
            &folder,
            &["explain", "-c", "config.yaml", who, "-o", "json"],
            &[],
        );
    }
    transcript.run(
        &folder,
        &["explain", "-c", "cluster.yaml", "acs:ram::1:user/a"],
        &[],
    );
    transcript.run(
        &folder,
        &["explain", "-c", "config.yaml", "--token", "nothing"],
        &[],
    );
    let folder = TestFolder::new(&[("people.yaml", PEOPLE)]);
    transcript.file("people.yaml", PEOPLE);
    for who in [
        &["acs:ram::1:user/Alice"][..],
        &["acs:ram::1:role/Ops"],
        &["acs:ram::1:assumed-role/Ops/a@b"],
        &["acs:ram::1:role/x", "--user-id", "77"],
        &["acs:ram::2:user/x"],
        &["acs:ram::1:user/alice", "--access-key-id", "LTAI5t"],
        &["acs:ram::3:user/alice"],
    ] {
        for more in [&["--arn"][..], &["-o", "json", "--arn"]] {
            let args = [&["explain", "-c", "people.yaml"], more, who].concat();
            transcript.run(&folder, &args, &[]);
        }
    }
    transcript.check("explain");
}

/// An STS emulator with the demonstration account, and a folder with a configuration for it.
struct StsFixture {
    sts: Emulator,
    folder: TestFolder,
    transcript: Transcript,
}

impl StsFixture {
    fn start() -> Self {
        let sts = Emulator::builder().demo().start().unwrap();
        // The timeouts are long enough for a slow machine.
        let config = format!(
            "clusterID: c1\nserver: {{sts: {{endpoint: '{}', caFile: sts-ca.pem, connectTimeout: 30s, timeout: 30s}}, mapUsers: [{{userARN: '{}', username: alice, groups: [g]}}]}}\n",
            sts.url(),
            demo::USER_ARN,
        );
        let folder = TestFolder::new(&[("config.yaml", &config), ("sts-ca.pem", sts.ca_pem())]);
        let mut transcript = Transcript::new();
        transcript.replace(&sts.address().to_string(), "<STS>");
        transcript.hide("(reference[`\": ]+)[0-9a-f]{8,}", "${1}<reference>");
        transcript.hide(
            "[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}",
            "<request>",
        );
        // The text depends on the resolver.
        transcript.hide("(lookup address information: )[A-Za-z ]+", "${1}<reason>");
        Self {
            sts,
            folder,
            transcript,
        }
    }

    fn token(&mut self, key: &AccessKey, cluster: &str, age: i64) -> Secret {
        let cluster = ClusterId::parse(cluster).unwrap();
        let signed = self.sts.now().plus_seconds(-age);
        let token = sign::sign_token_v2(key, &cluster, "test", signed).unwrap();
        self.transcript.hide_secret(token.expose(), "<token>");
        token
    }

    fn verify(&mut self, title: &str, token: &Secret, more: &[&str]) {
        let args = ["verify", "-c", "config.yaml", "--token", token.expose()];
        self.transcript.heading(title);
        self.transcript
            .run(&self.folder, &[&args, more].concat(), &[]);
    }
}

#[test]
fn verify_prints_identity_of_token() {
    let mut fixture = StsFixture::start();
    let session = fixture.token(&demo::session_key(), "c1", 0);
    fixture.verify("a session", &session, &[]);
    fixture.verify("a session as JSON", &session, &["-o", "json"]);
    let user = fixture.token(&demo::user_key(), "c1", 1);
    fixture.verify("a user", &user, &[]);
    let root = fixture.token(&demo::root_key(), "c1", 2);
    fixture.verify("an account", &root, &[]);
    let explain = ["explain", "-c", "config.yaml", "--token"];
    for token in [&user, &root] {
        let args = [&explain, &[token.expose()][..]].concat();
        fixture.transcript.run(&fixture.folder, &args, &[]);
    }
    fixture.transcript.check("verify");
}

#[test]
fn verify_prints_why_token_is_refused() {
    let mut fixture = StsFixture::start();
    let wrong_secret = AccessKey {
        secret: Secret::new("wrong"),
        ..demo::user_key()
    };
    let wrong = fixture.token(&wrong_secret, "c1", 0);
    let other = fixture.token(&demo::user_key(), "c2", 1);
    let expired = fixture.token(&demo::user_key(), "c1", 3600);
    for (title, token) in [
        ("a wrong secret", &wrong),
        ("another cluster", &other),
        ("an expired token", &expired),
        ("a token of another type", &Secret::new("eyJhbGciOi.CANARY")),
        ("an empty token", &Secret::new("k8s-ack-v2.e30=")),
    ] {
        fixture.verify(title, token, &[]);
        let args = ["explain", "-c", "config.yaml", "--token", token.expose()];
        fixture.transcript.run(&fixture.folder, &args, &[]);
    }
    let key = demo::stranger_key();
    let token = fixture.token(&key, "c1", 2);
    fixture.sts.disable_key(&key.id);
    fixture.verify("a disabled key", &token, &[]);
    fixture.sts.delete_key(&key.id);
    fixture.verify("a deleted key", &token, &[]);
    fixture.transcript.check("verify_refused");
}

#[test]
fn verify_prints_why_sts_is_unavailable() {
    let mut fixture = StsFixture::start();
    let token = fixture.token(&demo::user_key(), "c1", 0);
    for (title, fault) in [
        ("throttling of the user", Fault::ThrottleUser),
        ("throttling of the API", Fault::ThrottleApi),
        ("an internal error", Fault::InternalError),
        ("an unavailable service", Fault::ServiceUnavailable),
        (
            "a redirect",
            Fault::Redirect("https://other.example/".to_owned()),
        ),
        ("garbage", Fault::Garbage),
        (
            "another content type than JSON",
            Fault::ContentType("text/html"),
        ),
        ("an endless body", Fault::EndlessBody),
    ] {
        fixture.sts.set_fault(Some(fault));
        fixture.verify(title, &token, &[]);
    }
    fixture.sts.set_fault(Some(Fault::Hang));
    let config = fixture.folder.read_file("config.yaml");
    let path = fixture.folder.path().join("config.yaml");
    fs::write(&path, config.replace("timeout: 30s}", "timeout: 3s}")).unwrap();
    fixture.verify("no answer", &token, &[]);
    fixture.sts.set_fault(None);
    let port = ports::free_port().to_string();
    let served = fixture.sts.address().port().to_string();
    fs::write(&path, config.replace(&served, &port)).unwrap();
    fixture.verify("nothing listens", &token, &[]);
    fs::write(&path, config.replace("127.0.0.1", "sts.nowhere.invalid")).unwrap();
    fixture.verify("an unknown host name", &token, &[]);
    let other = Emulator::builder().demo().start().unwrap();
    fs::write(fixture.folder.path().join("sts-ca.pem"), other.ca_pem()).unwrap();
    fs::write(&path, &config).unwrap();
    fixture.verify("another certificate authority", &token, &[]);
    fs::write(fixture.folder.path().join("sts-ca.pem"), "nothing").unwrap();
    fixture.verify("a file without certificates", &token, &[]);
    fs::remove_file(fixture.folder.path().join("sts-ca.pem")).unwrap();
    fixture.verify("a missing certificate file", &token, &[]);
    fixture.transcript.check("verify_unavailable");
}
