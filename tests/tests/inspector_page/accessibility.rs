//! axe-core finds no violation in both themes and both languages.

use std::fs;

use serde_json::{Value, json};

use crate::fixture::{NOW, PageFixture, canary_token, click, open_playground, paste_text, path_in};

#[test]
fn page_has_no_accessibility_violation() {
    let fixture = PageFixture::start();
    let axe = fs::read_to_string(path_in("ACK_RAM_AXE")).unwrap();
    for theme in ["light", "dark"] {
        let page = fixture.page_at_fixed_time();
        page.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }, { "name": "prefers-reduced-motion", "value": "reduce" }] }),
        );
        page.evaluate(&format!("{axe}; null"));
        let check = |state: &str| {
            let found = page.evaluate(
                "axe.run({ preload: false }).then((result) => result.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map((node) => [node.html.slice(0, 200), node.failureSummary]) })))",
            );
            assert_eq!(
                found,
                Value::Array(Vec::new()),
                "{theme}, {state}: {found:#}"
            );
        };
        check("empty");
        paste_text(&page, "{");
        check("an error");
        paste_text(&page, &canary_token(NOW));
        check("a token that passes");
        click(&page, "reveal");
        check("with its secrets");
        click(&page, "example-broken");
        page.evaluate(
            "for (const details of document.querySelectorAll('details')) details.open = true",
        );
        check("a token that fails");
        click(&page, "tab-sign");
        check("the signing tab");
        page.evaluate("(() => { const form = document.getElementById('sign'); form.elements.date.value = 'x'; form.dispatchEvent(new Event('input')); })()");
        check("the signing tab with a mistake");
        open_playground(&page);
        check("the playground, empty");
        click(&page, "rules-example");
        click(&page, "rules-compare");
        check("the playground");
        click(&page, "language");
        check("the playground in Chinese");
        click(&page, "tab-token");
        check("a token in Chinese");
    }
}
