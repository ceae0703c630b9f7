//! The page works with the keyboard alone, and the focus is always visible.

use ack_ram_tests::browser::Page;

use crate::fixture::{NOW, PageFixture, canary_token, check_quiet};

/// Presses Tab until the element `id` has the focus. The focus must be visible on every element on the way.
#[track_caller]
fn tab_to(page: &Page, id: &str) {
    for _ in 0..150 {
        page.press("Tab", false);
        let now = page.evaluate(
            "(() => {
                const element = document.activeElement;
                const shown = element.matches('.visually-hidden') ? element.parentElement : element;
                const { outlineStyle, outlineWidth } = getComputedStyle(shown);
                return [element.id, element === document.body || (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2)];
            })()",
        );
        assert_eq!(now[1], true, "the focus is not visible on `{}`", now[0]);
        if now[0] == id {
            return;
        }
    }
    panic!("Tab never reaches `{id}`");
}

#[track_caller]
fn text(page: &Page, selector: &str) -> String {
    page.text(&format!("document.querySelector({selector:?}).textContent"))
}

#[test]
fn page_works_by_keyboard_alone() {
    let fixture = PageFixture::start();
    let page = fixture.page_at_fixed_time();
    page.call("Page.bringToFront", serde_json::json!({}));

    page.press("Tab", false);
    assert_eq!(page.text("document.activeElement.className"), "skip");
    page.press("Enter", false);
    assert_eq!(page.text("document.activeElement.id"), "main");

    tab_to(&page, "pasted");
    page.insert(&canary_token(NOW));
    page.wait("document.querySelector('#verdict h2').textContent === 'The token passes all offline checks'");
    tab_to(&page, "reveal");
    page.press(" ", false);
    assert_eq!(
        page.text("document.getElementById('reveal').getAttribute('aria-pressed')"),
        "true"
    );
    page.press(" ", false);
    assert_eq!(
        page.text("document.getElementById('reveal').getAttribute('aria-pressed')"),
        "false"
    );
    page.press("Tab", false);
    assert_eq!(
        page.text("document.activeElement.textContent"),
        "Copy without secrets"
    );
    page.press("Enter", false);
    page.wait("document.getElementById('said').textContent !== ''");

    page.evaluate("document.activeElement.blur()");
    tab_to(&page, "clear");
    page.press("Enter", false);
    assert_eq!(page.text("document.activeElement.id"), "pasted");
    tab_to(&page, "example");
    page.press("Enter", false);
    assert_eq!(
        text(&page, "#verdict h2"),
        "The token passes all offline checks"
    );
    // The settings of the server also open with keys.
    tab_to(&page, "compare");
    page.press("Enter", false);
    tab_to(&page, "cluster-id");
    page.insert("c-other");
    assert_eq!(
        text(&page, "#verdict h2"),
        "The server would refuse this token"
    );

    page.evaluate("document.activeElement.blur()");
    tab_to(&page, "language");
    page.press("Enter", false);
    assert_eq!(text(&page, "h1"), "令牌检查器");
    page.press("Enter", false);
    tab_to(&page, "theme");
    page.press("Enter", false);
    assert_eq!(page.text("document.documentElement.dataset.theme"), "light");

    tab_to(&page, "tab-token");
    page.press("ArrowRight", false);
    page.wait("document.getElementById('panel-rules').dataset.ready");
    assert_eq!(page.text("document.activeElement.id"), "tab-rules");
    tab_to(&page, "rules-example");
    page.press("Enter", false);
    assert_eq!(text(&page, "#rules-verdict h2"), "Mapped to a user");
    page.press("Tab", false);
    page.press(" ", false);
    assert_eq!(
        page.text("document.activeElement.getAttribute('aria-expanded')"),
        "true"
    );
    assert!(text(&page, "#rules-results").contains("Access changes"));
    tab_to(&page, "rules-arn");
    page.call("Input.dispatchKeyEvent", serde_json::json!({ "type": "keyDown", "key": "a", "code": "KeyA", "windowsVirtualKeyCode": 65, "modifiers": 2, "commands": ["selectAll"] }));
    page.insert("acs:ram::1234567890123456:user/nobody");
    page.wait(
        "document.querySelector('#rules-verdict h2').textContent === 'The login is not granted'",
    );

    page.evaluate("document.activeElement.blur()");
    tab_to(&page, "tab-rules");
    page.press("End", false);
    assert_eq!(page.text("document.activeElement.id"), "tab-sign");
    tab_to(&page, "inspect-it");
    page.press("Enter", false);
    assert_eq!(page.text("document.activeElement.id"), "tab-token");
    check_quiet(&page);
}
