//! Widths, themes, and pictures for people to look at.

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
            let look = |state: &str| {
                let overflow = page.evaluate(
                    "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
                );
                assert!(
                    overflow[0].as_u64() <= overflow[1].as_u64(),
                    "{name}, {state}: {overflow}"
                );
                picture(&page, &format!("{state}-{name}-{theme}"));
            };
            look("empty");
            paste_text(&page, &canary_token(NOW));
            look("token");
            click(&page, "example-broken");
            look("broken");
            paste_text(&page, "{\"a\": 1}");
            look("error");
            click(&page, "tab-sign");
            look("sign");
            open_playground(&page);
            click(&page, "rules-example");
            look("rules");
            click(&page, "rules-compare");
            look("compare");
            click(&page, "language");
            look("chinese-compare");
            click(&page, "tab-token");
            click(&page, "example");
            look("chinese-token");
            check_quiet(&page);
        }
    }
}

#[test]
fn layout_stays_when_token_comes_and_goes() {
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
