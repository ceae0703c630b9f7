use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileTypeExt as _;

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, MappingSpec, Precedence, Rule, RuleSet, Source,
};
use ack_ram_core::time::UnixTime;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const START: UnixTime = UnixTime::from_seconds(1_700_000_000);

fn rule(position: &str, arn: &str) -> Rule {
    Rule::compile(mapping(position, arn)).unwrap()
}

fn mapping(position: &str, arn: &str) -> Mapping {
    let source = Source {
        backend: Backend::Crd,
        position: position.to_owned(),
    };
    let groups = vec!["g".to_owned()];
    Mapping::for_arn(
        source,
        Precedence::Created(START),
        arn,
        "u:{{SessionName}}",
        groups,
    )
}

fn live(rules: usize) -> Arc<LiveRules> {
    let backends = vec![
        BackendRules::new_unsynced(Backend::Crd),
        BackendRules::new(Backend::MountedFile),
    ];
    let live = LiveRules::new(RuleSet::new(backends, BTreeSet::new()), START);
    live.change(Backend::Crd, |edit| {
        for number in 0..rules {
            let arn = format!("acs:ram::1:role/r{number}");
            edit.apply(rule(&format!("m{number:06}"), &arn), START);
        }
    });
    Arc::new(live)
}

/// Sends `request` to the server with the state directory `folder` and returns the response.
async fn request_raw(folder: &Path, request: &'static str) -> String {
    let path = folder.join(SOCKET_NAME);
    let response = tokio::task::spawn_blocking(move || {
        let mut stream = StdStream::connect(path).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    });
    response.await.unwrap()
}

const GET: &str = "GET /mappings HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Parses the body of a chunked response, which must be complete.
fn body(response: &str) -> Value {
    let (head, mut rest) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(head.contains("application/json"), "{head}");
    let mut body = String::new();
    loop {
        let (length, after) = rest.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return serde_json::from_str(&body).unwrap();
        }
        let (chunk, after) = after.split_at(length);
        body.push_str(chunk);
        rest = after.strip_prefix("\r\n").unwrap();
    }
}

async fn served(folder: &TempDir, live: &Arc<LiveRules>) -> tokio::task::JoinHandle<()> {
    let control = ControlSocket::listen(folder.path()).unwrap();
    let live = Arc::clone(live);
    tokio::spawn(async move { control.serve(live).await })
}

#[tokio::test]
async fn mappings_in_effect_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let live = live(2);
    let later = START.plus_seconds(60);
    live.change(Backend::Crd, |edit| {
        edit.apply(rule("other", "acs:ram::1:role/r0"), later);
        edit.keep_whole_rule("m000001", "no username", later);
        edit.refuse("bad", "no ARN");
        edit.set_trouble(Some("unreachable".to_owned()));
    });
    let reconfigured = live.change(Backend::MountedFile, |edit| {
        let mut rules = edit.rules().clone();
        rules.apply_account(AccountId::parse("0123").unwrap());
        edit.replace(rules, crate::backends::live::BackendNotes::default());
    });
    assert_eq!(reconfigured, Some(()));
    let serving = served(&folder, &live).await;
    let text = body(&request_raw(folder.path(), GET).await);
    serving.abort();
    let entry = |position, arn, since: UnixTime| {
        json!({
            "position": position,
            "subject": arn,
            "username": "u:{{SessionName}}",
            "groups": ["g"],
            "since": since.to_string(),
        })
    };
    let mut kept = entry("m000001", "acs:ram::1:role/r1", START);
    kept["kept"] = json!({"since": later.to_string(), "until": later.plus_seconds(86_400).to_string(), "reason": "no username", "basis": "the newest text still gives this to the same subject"});
    assert_eq!(text["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        text["backends"],
        json!([
            {
                "backend": "CRD",
                "isRead": false,
                "trouble": "unreachable",
                "rules": [
                    entry("m000000", "acs:ram::1:role/r0", START),
                    kept,
                    entry("other", "acs:ram::1:role/r0", later),
                ],
                "accounts": [],
                "refused": [
                    {"position": "bad", "reason": "no ARN"},
                    {"position": "m000001", "reason": "no username"},
                ],
                "conflicts": [{"loser": "other", "winner": "m000000"}],
            },
            {
                "backend": "MountedFile",
                "isRead": true,
                "rules": [],
                "accounts": ["0123"],
                "refused": [],
                "conflicts": [],
            },
        ])
    );
}

#[cfg(feature = "cel")]
#[tokio::test]
async fn expressions_are_reported_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let live = live(0);
    let conditional = Mapping {
        spec: MappingSpec {
            condition: Some("identity.accountId == '1'".to_owned()),
            username: String::new(),
            username_expression: Some("'a:' + identity.roleName".to_owned()),
            groups_expression: Some("[identity.roleName]".to_owned()),
            groups_expression_may_add: vec!["system:masters".to_owned()],
            ..mapping("m", "").spec
        },
        ..mapping("m", "")
    };
    let rule = Rule::compile(conditional).unwrap();
    live.change(Backend::Crd, |edit| edit.apply(rule, START));
    let serving = served(&folder, &live).await;
    let text = body(&request_raw(folder.path(), GET).await);
    serving.abort();
    let rule = &text["backends"][0]["rules"][0];
    let fields = json!(["match", "usernameExpression", "groupsExpression"]);
    assert_eq!(
        (&rule["expressions"], &rule["username"]),
        (&fields, &json!(""))
    );
    assert_eq!(rule["groupsExpressionMayAdd"], json!(["system:masters"]));
}

#[tokio::test]
async fn hundred_thousand_rules_are_sent_in_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let live = live(100_000);
    let serving = served(&folder, &live).await;
    let text = body(&request_raw(folder.path(), GET).await);
    serving.abort();
    let rules = text["backends"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 100_000);
    assert!(rules.iter().all(|rule| rule["since"].is_string()));
    assert_eq!(rules[99_999]["position"], "m099999");
}

#[tokio::test]
async fn other_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let serving = served(&folder, &live(0)).await;
    for (request, status) in [
        ("POST /mappings HTTP/1.1\r\nHost: x\r\n\r\n", "405"),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET /mappings/ HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let response = request_raw(folder.path(), request).await;
        let start = format!("HTTP/1.1 {status}");
        assert!(response.starts_with(&start), "{request}: {response}");
    }
    serving.abort();
}

#[tokio::test]
async fn socket_is_private_and_removed_with_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET_NAME);
    let control = ControlSocket::listen(folder.path()).unwrap();
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    drop(control);
    assert!(!path.exists());
}

#[tokio::test]
async fn second_server_keeps_socket_of_live_server() {
    let folder = tempfile::tempdir().unwrap();
    let live = live(1);
    let serving = served(&folder, &live).await;
    let second = ControlSocket::listen(folder.path()).err().unwrap();
    assert!(matches!(second, ControlError::InUse(_)), "{second}");
    assert_eq!(
        body(&request_raw(folder.path(), GET).await)["backends"][0]["rules"][0]["position"],
        "m000000"
    );
    serving.abort();
}

#[tokio::test]
async fn socket_of_dead_server_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET_NAME);
    // A crashed server leaves its socket behind.
    drop(StdListener::bind(&path).unwrap());
    assert!(path.exists());
    let first = ControlSocket::listen(folder.path()).unwrap();
    // The server must not remove a socket that it did not create.
    fs::remove_file(&path).unwrap();
    let other = StdListener::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
    drop(other);
}

#[tokio::test]
async fn foreign_folder_lock_is_ignored_and_stuck_process_is_named() {
    let folder = TempDir::new().unwrap();
    let on_folder = std::fs::File::open(folder.path()).unwrap();
    on_folder.lock().unwrap();
    drop(ControlSocket::listen(folder.path()).unwrap());
    let stuck = files::lock_folder(folder.path()).unwrap();
    let error = ControlSocket::listen(folder.path())
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("another process has locked"), "{error}");
    drop(stuck);
    ControlSocket::listen(folder.path()).unwrap();
}

#[tokio::test]
async fn unusable_socket_path_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(120));
    fs::create_dir(&deep).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for state_dir in [
        deep,
        folder.path().join("nowhere"),
        folder.path().join("file"),
    ] {
        let error = ControlSocket::listen(&state_dir).err().unwrap();
        assert!(matches!(error, ControlError::Unusable(..)), "{error}");
        assert!(error.to_string().contains(SOCKET_NAME), "{error}");
    }
}
