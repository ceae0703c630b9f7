//! The signing tab creates the same tokens as the client.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2_in_steps};
use ack_ram_core::time::UnixTime;
use serde_json::Value;

use crate::fixture::{PageFixture, check_quiet, click, js};

#[test]
fn signing_steps_equal_core() {
    let fixture = PageFixture::start();
    let page = fixture.page();
    click(&page, "tab-sign");
    for (security_token, user_agent) in [("", "x/1"), ("CAIS/+==", "a <b> & c")] {
        let fields = [
            ("accessKeyId", "STS.abc"),
            ("accessKeySecret", "a secret"),
            ("securityToken", security_token),
            ("clusterId", "c1"),
            ("userAgent", user_agent),
            ("date", "2026-01-02T03:04:05Z"),
        ];
        let shown = page.evaluate(&format!(
            "(() => {{
                const form = document.getElementById('sign');
                for (const [name, value] of {}) form.elements[name].value = value;
                form.dispatchEvent(new Event('input'));
                return Object.fromEntries([...document.querySelectorAll('#steps > li')].map((step) =>
                    [step.dataset.step, [...step.querySelectorAll('.lines li')].map((line) => line.textContent).join('\\n')]));
            }})()",
            js(fields.map(|(name, value)| Value::from(vec![name, value])).to_vec())
        ));
        let key = AccessKey {
            id: AccessKeyId::parse("STS.abc").unwrap(),
            secret: Secret::new("a secret"),
            security_token: Some(security_token)
                .filter(|token| !token.is_empty())
                .map(Secret::new),
        };
        let cluster = ClusterId::parse("c1").unwrap();
        let date = UnixTime::parse("2026-01-02T03:04:05Z").unwrap();
        let steps = sign_token_v2_in_steps(&key, &cluster, user_agent, date).unwrap();
        for (name, expected) in [
            ("canonical", steps.canonical_request.expose()),
            ("string", &steps.string_to_sign),
            ("signature", &steps.signature.to_hex()),
            ("authorization", steps.authorization.expose()),
            ("json", steps.json.expose()),
            ("token", steps.token.expose()),
        ] {
            assert_eq!(shown[name], expected, "{name}");
        }
    }
    for (name, bad, message) in [
        ("accessKeyId", "", "An access key ID consists"),
        ("accessKeySecret", "", "Enter an access key secret"),
        ("clusterId", "a b", "A cluster ID has"),
        ("date", "today", "Write the date"),
        ("securityToken", "a b", "A security token consists"),
    ] {
        let error = page.text(&format!(
            "(() => {{
                document.querySelector('#sign [type=reset]').click();
                const form = document.getElementById('sign');
                form.elements.{name}.value = {};
                form.dispatchEvent(new Event('input'));
                return form.elements.{name}.getAttribute('aria-invalid') + document.getElementById('sign-error').textContent;
            }})()",
            js(bad)
        ));
        assert!(
            error.starts_with(&format!("true{message}")),
            "{name}: {error}"
        );
    }
    check_quiet(&page);
}
