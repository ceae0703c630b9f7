//! The playground shows the same results as `explain`, `lint` and `diff`.

use std::fs;

use ack_ram_tests::authenticator;
use ack_ram_tests::browser::Page;
use serde_json::Value;

use crate::fixture::{PageFixture, check_quiet, js, open_playground};

const OLD: &str = include_str!("../../vectors/playground/old.yaml");
const NEW: &str = include_str!("../../vectors/playground/new.yaml");

/// Runs a command of the binary, and returns the JSON that it prints.
fn command(files: &[(&str, &str)], args: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let output = authenticator::command(folder.path(), args)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Returns the text that each part of the page copies, by the title of the part.
fn copied(page: &Page, old: &str, new: &str, arn: &str) -> Value {
    page.evaluate(&format!(
        "(async () => {{
            const set = (id, value) => {{ document.getElementById(id).value = value; }};
            if (document.getElementById('rules-second').hidden) document.getElementById('rules-compare').click();
            set('rules-old', {}); set('rules-new', {}); set('rules-arn', {});
            document.getElementById('rules-results').replaceChildren();
            document.getElementById('rules-old').dispatchEvent(new Event('input'));
            while (!document.querySelector('#rules-results .card')) await new Promise((resolve) => setTimeout(resolve, 20));
            const parts = {{}};
            for (const card of document.querySelectorAll('#rules-results > .card')) {{
                navigator.clipboard.writeText = async (text) => {{ parts[card.querySelector('h2').textContent] = JSON.parse(text); }};
                card.querySelector('button').click();
                await null;
            }}
            return parts;
        }})()",
        js(old), js(new), js(arn)
    ))
}

#[test]
fn playground_equals_the_commands() {
    let fixture = PageFixture::start();
    let page = fixture.page();
    open_playground(&page);
    let mut granted = 0;
    for arn in [
        "acs:ram::1234567890123456:user/alice",
        "acs:ram::1234567890123456:user/twice",
        "acs:ram::1234567890123456:user/nobody",
        "acs:ram::1234567890123456:role/Admin",
        "acs:ram::1234567890123456:assumed-role/dev-1/bob",
        "acs:ram::1234567890123456:root",
        "acs:ram::9:user/alice",
    ] {
        let parts = copied(&page, OLD, NEW, arn);
        for (name, title, text) in [
            ("config.yaml", "Configuration", OLD),
            ("new.yaml", "New configuration", NEW),
        ] {
            let files = [(name, text)];
            let explained = command(&files, &["explain", "-c", name, "--arn", arn, "-o", "json"]);
            assert_eq!(
                parts[format!("How the decision is made: {title}")],
                explained,
                "{arn}"
            );
            granted += usize::from(explained["code"] == "granted");
            let found = command(&files, &["lint", name, "-o", "json"]);
            assert_eq!(
                non_empty(&parts[format!("Lint findings: {title}")]),
                non_empty(&found)
            );
        }
        let files = [("config.yaml", OLD), ("new.yaml", NEW)];
        let changes = command(&files, &["diff", "config.yaml", "new.yaml", "-o", "json"]);
        assert_eq!(parts["Access changes"], changes);
    }
    assert!((5..14).contains(&granted), "{granted}");
    check_quiet(&page);
}

/// Checks that `report` has findings, and returns it.
fn non_empty(report: &Value) -> &Value {
    assert!(
        report["findings"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    report
}

#[test]
fn config_maps_and_objects_are_loaded() {
    let fixture = PageFixture::start();
    let page = fixture.page();
    open_playground(&page);
    let config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: alibabacloud-auth\ndata:\n  mapUsers: |\n    - userARN: acs:ram::1:user/a\n      username: from-config-map\n";
    let object = "apiVersion: ramauthenticator.k8s.alibabacloud/v1alpha1\nkind: RAMIdentityMapping\nmetadata:\n  name: one\nspec:\n  arn: acs:ram::1:user/*\n  username: from-object\n";
    let file = "clusterID: c1\nserver:\n  backendMode: [CRD, ConfigMap]\n";
    for (text, username) in [
        (config_map.to_owned(), "from-config-map"),
        (object.to_owned(), "from-object"),
        (format!("{config_map}---\n{object}"), "from-config-map"),
        (
            format!("{config_map}---\n{object}---\n{file}"),
            "from-object",
        ),
    ] {
        let parts = copied(&page, &text, "", "acs:ram::1:user/a");
        assert_eq!(
            parts["How the decision is made"]["user"]["username"], username,
            "{text}"
        );
    }
    check_quiet(&page);
}
