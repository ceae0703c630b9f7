//! Widths and themes, with screenshots for a review by eye.

use ack_ram_tests::browser::Size;
use serde_json::json;

use crate::fixture::{
    NOW, PageFixture, WIDE, canary_token, check_quiet, click, open_playground, paste_text, picture,
};

const PHONE: Size = Size {
    width: 320,
    height: 640,
};

#[test]
fn every_state_fits_the_viewport() {
    let fixture = PageFixture::start();
    for (size, name) in [(WIDE, "wide"), (PHONE, "phone")] {
        for theme in ["light", "dark"] {
            let page = fixture.page_at_fixed_time();
            page.resize(size);
            page.call(
                "Emulation.setEmulatedMedia",
                json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] }),
            );
            let check = |state: &str| {
                let overflow = page.evaluate(
                    "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
                );
                assert!(
                    overflow[0].as_u64() <= overflow[1].as_u64(),
                    "{name}, {state}: {overflow}"
                );
                picture(&page, &format!("{state}-{name}-{theme}"));
            };
            check("empty");
            paste_text(&page, &canary_token(NOW));
            check("token");
            click(&page, "example-broken");
            check("broken");
            paste_text(&page, "{\"a\": 1}");
            check("error");
            click(&page, "tab-sign");
            check("sign");
            open_playground(&page);
            click(&page, "rules-example");
            check("rules");
            click(&page, "rules-compare");
            check("compare");
            click(&page, "language");
            check("chinese-compare");
            click(&page, "tab-token");
            click(&page, "example");
            check("chinese-token");
            check_quiet(&page);
        }
    }
}

#[test]
fn layout_is_stable_when_token_changes() {
    let fixture = PageFixture::start();
    let page = fixture.page_at_fixed_time();
    let places = "JSON.stringify(['pasted', 'example', 'circumstances', 'verdict'].map((id) => {
        const { x, y, width } = document.getElementById(id).getBoundingClientRect();
        return [x, y, width];
    }))";
    let before = page.text(places);
    paste_text(&page, &canary_token(NOW));
    assert_eq!(page.text(places), before);
    paste_text(&page, "{");
    assert_eq!(page.text(places), before);
    click(&page, "clear");
    assert_eq!(page.text(places), before);
}

#[test]
fn theme_follows_the_system_until_chosen() {
    let fixture = PageFixture::start();
    let page = fixture.page();
    let background = "getComputedStyle(document.body).backgroundColor";
    let system = |theme: &str| {
        page.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] }),
        );
    };
    system("light");
    let light = page.text(background);
    system("dark");
    let dark = page.text(background);
    assert_ne!(light, dark);
    click(&page, "theme");
    assert_eq!(page.text(background), light);
    click(&page, "theme");
    system("light");
    assert_eq!(page.text(background), dark);
    click(&page, "theme");
    assert_eq!(page.text(background), light);
}
