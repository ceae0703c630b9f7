//! The page shows the same texts as the commands.

use ack_ram_analysis::inspect::{self, Inspection};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::time::UnixTime;
use ack_ram_tests::authenticator;
use ack_ram_tests::browser::Page;
use ack_ram_tests::vectors;
use serde_json::{Value, json};

use crate::fixture::{CLUSTER, PageFixture, canary_token, check_quiet, js, paste_text};

/// A script that returns the inspection on the page: the JSON, and the texts of each check.
const SHOWN: &str = "(() => {
    const text = (element, selector) => element.querySelector(selector)?.textContent ?? null;
    return {
        json: document.getElementById('report-card').hidden ? null : document.getElementById('json').textContent,
        verdict: document.getElementById('verdict').className,
        checks: [...document.querySelectorAll('#checks li')].map((check) => ({
            name: check.dataset.check, status: check.className, code: check.dataset.code ?? null,
            reason: text(check, '.why'), advice: text(check, '.advice'),
        })),
    };
})()";

fn inspect_on_page(page: &Page, text: &str, now: UnixTime, policy: Option<&TokenPolicy>) -> Value {
    let keys = policy.map(|policy| policy.extra_query_keys.iter().cloned().collect::<Vec<_>>());
    let keys = keys.unwrap_or_default().join(",");
    let cluster = policy.map_or("", |policy| policy.cluster_id.as_str());
    let accept = policy.is_some_and(|policy| policy.accept_v1);
    let seconds = now.seconds();
    page.evaluate(&format!(
        "testNow = {seconds};
        document.getElementById('cluster-id').value = {};
        document.getElementById('extra-keys').value = {};
        document.getElementById('accept-v1').checked = {accept};
        inspector.token.take({});
        {SHOWN}",
        js(cluster),
        js(keys),
        js(text),
    ))
}

#[track_caller]
fn check_inspection(name: &str, page: &Value, inspection: &Inspection) {
    let expected = serde_json::to_value(inspection).unwrap();
    let json: Value = serde_json::from_str(page["json"].as_str().unwrap()).unwrap();
    assert_eq!(json, expected, "{name}");
    let checks = page["checks"].as_array().unwrap();
    assert_eq!(checks.len(), inspection.checks.len(), "{name}");
    for (shown, check) in checks.iter().zip(expected["checks"].as_array().unwrap()) {
        for part in ["name", "status", "code", "reason", "advice"] {
            assert_eq!(shown[part], check[part], "{name}: {part} of {check}");
        }
    }
    let passes = page["verdict"].as_str().unwrap().contains("good");
    assert_eq!(passes, inspection.passes, "{name}");
}

#[test]
fn page_shows_tokens_as_inspect_prints_them() {
    let fixture = PageFixture::start();
    let page = fixture.page_at_fixed_time();
    let tokens = vectors::tokens();
    let mut passing = 0;
    for case in &tokens.cases {
        let now = UnixTime::parse(&case.now).unwrap();
        let policy = tokens.policy(case);
        for policy in [Some(&policy), None] {
            let shown = inspect_on_page(&page, &case.token(), now, policy);
            let Ok(found) = inspect::extract_tokens(&case.token()) else {
                assert_eq!(shown["json"], Value::Null, "{}", case.name);
                continue;
            };
            let inspection = inspect::inspect(found[0].token.expose(), policy, now);
            check_inspection(&case.name, &shown, &inspection);
            passing += usize::from(inspection.passes);
        }
    }
    assert!((20..tokens.cases.len()).contains(&passing), "{passing}");
    check_quiet(&page);
}

#[test]
fn pasted_text_yields_same_tokens_as_the_command() {
    let fixture = PageFixture::start();
    let page = fixture.page();
    let folder = tempfile::tempdir().unwrap();
    let now = page.evaluate("Math.floor(Date.now() / 1000)");
    let token = canary_token(UnixTime::from_seconds(now.as_i64().unwrap() - 60));
    let other = token.replace("k8s-ack-v2.", "k8s-ack-v3.");
    for (text, origins) in [
        (token.clone(), &["bare"] as &[&str]),
        (format!("\n  {token}\n"), &["bare"]),
        (format!("Authorization: Bearer {token}"), &["bearer"]),
        (
            json!({"kind": "ExecCredential", "status": {"token": token}}).to_string(),
            &["execCredential"],
        ),
        (
            json!({"kind": "TokenReview", "spec": {"token": token}}).to_string(),
            &["tokenReview"],
        ),
        (
            format!(
                "I0102 round_trippers.go:466] curl -v -XPOST -H \"Authorization: Bearer {token}\" 'https://1.2.3.4'\nI0102 request.go:1351] Request Body: {{\"spec\":{{\"token\":\"{other}\"}}}}"
            ),
            &["bearer", "text"],
        ),
    ] {
        for cluster in [CLUSTER, "c-other"] {
            let input = folder.path().join("input");
            std::fs::write(&input, &text).unwrap();
            let mut command = authenticator::command(
                folder.path(),
                &["inspect", "-o", "json", "--cluster-id", cluster],
            );
            let output = command
                .stdin(std::fs::File::open(&input).unwrap())
                .output()
                .unwrap();
            let mut expected: Value = serde_json::from_slice(&output.stdout).unwrap();
            page.evaluate(&format!(
                "document.getElementById('cluster-id').value = {}",
                js(cluster)
            ));
            paste_text(&page, &text);
            let mut shown: Value =
                serde_json::from_str(&page.text("document.getElementById('json').textContent"))
                    .unwrap();
            // A second may have passed between the two.
            for report in [&mut expected, &mut shown] {
                assert!(report["ageSeconds"].take().is_i64());
            }
            assert_eq!(shown, expected, "{text}");
            let choices = page.evaluate(
                "[...document.querySelectorAll('#chosen option')].map((option) => option.textContent)",
            );
            let choices = choices.as_array().unwrap().len();
            assert_eq!(choices, if origins.len() > 1 { origins.len() } else { 0 });
        }
    }
    page.evaluate("document.getElementById('chosen').value = '1'; document.getElementById('chosen').dispatchEvent(new Event('change'))");
    let kind = page.text("JSON.parse(document.getElementById('json').textContent).kind");
    assert_eq!(kind, "unknownVersion");
    check_quiet(&page);
}

#[test]
fn text_without_token_gets_an_explanation() {
    let fixture = PageFixture::start();
    let page = fixture.page();
    for (text, title) in [
        ("", "No input yet"),
        ("   ", "No input yet"),
        ("{\"a\":", "The JSON is not valid"),
        ("{\"a\": 1}", "There is no token in this JSON"),
        (
            "curl -H \"Authorization: Bearer <masked>\"",
            "kubectl has masked the token",
        ),
        ("hello", "Not a token of ack-ram-authenticator"),
        (
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
            "Not a token of ack-ram-authenticator",
        ),
        ("k8s-ack-v2.!!", "The server would refuse this token"),
    ] {
        paste_text(&page, text);
        assert_eq!(
            page.text("document.querySelector('#verdict h2').textContent"),
            title,
            "{text}"
        );
        let about = page.text("document.querySelector('#verdict').textContent");
        assert!(about.len() > title.len() + 20, "{about}");
    }
    check_quiet(&page);
}

#[test]
fn every_text_exists_in_both_languages() {
    let fixture = PageFixture::start();
    let page = fixture.page();
    let missing = page.evaluate(
        "Object.entries(inspectorTexts).filter(([key, [en, zh, ...rest]]) =>
            rest.length > 0 || typeof zh !== 'string' || zh === '' || (en === '' && !key.startsWith('code.')))",
    );
    assert_eq!(missing, json!([]));
    let codes: Vec<String> = vectors::tokens()
        .cases
        .iter()
        .filter_map(|case| case.code.clone())
        .filter(|code| code.starts_with("token_") || code == "not_ours")
        .collect();
    let unknown = page.evaluate(&format!(
        "{}.filter((code) => !inspectorTexts[`code.${{code}}`])",
        js(codes)
    ));
    assert_eq!(unknown, json!([]));
    let unused = page.evaluate(
        "[...document.querySelectorAll('[data-text], [data-label], [data-placeholder]')]
            .map((element) => element.dataset.text ?? element.dataset.label ?? element.dataset.placeholder)
            .filter((key) => !inspectorTexts[key])",
    );
    assert_eq!(unused, json!([]));
}

#[test]
fn freshness_follows_page_clock_and_server_date() {
    let fixture = PageFixture::start();
    let page = fixture.page_at_fixed_time();
    paste_text(&page, &canary_token(crate::fixture::NOW.plus_seconds(-60)));
    let countdown = "document.getElementById('countdown').textContent";
    assert_eq!(page.text(countdown), "14 min 0 s");
    page.evaluate("testNow += 30");
    page.wait(&format!("{countdown} === '13 min 30 s'"));
    let status = "document.querySelector('[data-check=freshness]').className";
    assert_eq!(page.text(status), "passed");
    page.evaluate("testNow += 3600");
    page.wait(&format!("{status} === 'failed'"));
    // The clock of the server is an hour behind.
    page.evaluate(
        "(() => {
        const date = document.getElementById('server-date');
        date.value = 'Date: ' + new Date((testNow - 3600) * 1000).toUTCString();
        date.dispatchEvent(new Event('input'));
    })()",
    );
    assert_eq!(page.text(status), "passed");
    assert!(
        page.text("document.getElementById('skew').textContent")
            .contains("1 h 0 min behind")
    );
    check_quiet(&page);
}
