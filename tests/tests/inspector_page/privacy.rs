//! The page sends and stores no data.

use serde_json::json;

use crate::fixture::{
    CANARY, NOW, PageFixture, ServedPage, canary_token, check_quiet, click, from_disk,
    open_playground, paste_text,
};

/// A script that returns everything that a browser stores for a page.
const STORED: &str = "(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    cookies: document.cookie,
    databases: (await indexedDB.databases()).length,
    caches: self.caches ? (await caches.keys()).length : 0,
    workers: navigator.serviceWorker ? (await navigator.serviceWorker.getRegistrations()).length : 0,
    history: history.length,
    state: history.state,
    name: self.name,
}))()";

/// Uses all functions of the page.
fn use_all(page: &ack_ram_tests::browser::Page) {
    paste_text(page, &canary_token(NOW));
    for id in [
        "reveal",
        "reveal",
        "language",
        "theme",
        "language",
        "tab-sign",
        "sign-now",
        "inspect-it",
    ] {
        click(page, id);
    }
    open_playground(page);
    for id in [
        "rules-example",
        "rules-compare",
        "rules-from-token",
        "tab-token",
    ] {
        click(page, id);
    }
    paste_text(page, &canary_token(NOW));
    page.evaluate("navigator.clipboard.writeText = async (text) => { self.copied = (self.copied ?? '') + text; }");
    page.evaluate("[...document.querySelectorAll('#panel-token .buttons button')].filter((button) => button.textContent.startsWith('Copy')).forEach((button) => button.click())");
}

#[test]
fn page_sends_and_stores_nothing() {
    let fixture = PageFixture::start();
    let served = ServedPage::start();
    let page = fixture.open(&served.url, Some(NOW));
    let before = page.evaluate(STORED);
    let (title, address) = (page.text("document.title"), page.text("location.href"));
    use_all(&page);
    assert_eq!(page.evaluate(STORED), before);
    assert_eq!(before["history"], 2, "about:blank and the page: {before}");
    assert_eq!(page.text("document.title"), title);
    assert_eq!(page.text("location.href"), address);
    check_quiet(&page);

    // The canary is only in its field.
    let markup = page.text("document.documentElement.outerHTML");
    let copied = page.text("self.copied");
    assert!(copied.contains("GetCallerIdentity"), "{copied}");
    for (place, text) in [
        ("markup", &markup),
        ("copied", &copied),
        ("traffic", &page.traffic()),
    ] {
        assert!(!text.contains(CANARY), "the canary is in the {place}");
        let token = canary_token(NOW);
        assert!(!text.contains(&token), "the token is in the {place}");
    }
    click(&page, "reveal");
    let markup = page.text("document.documentElement.outerHTML");
    assert!(markup.contains(CANARY), "the canary is not revealed");

    // A reload clears the page.
    page.open(&served.url);
    page.wait("document.documentElement.dataset.ready");
    assert_eq!(page.text("document.getElementById('pasted').value"), "");
    let markup = page.text("document.documentElement.outerHTML");
    assert!(!markup.contains(CANARY));
    assert_eq!(page.evaluate(STORED)["local"], json!({}));
}

#[test]
fn page_works_offline() {
    let fixture = PageFixture::start();
    let page = fixture.open(&from_disk(), Some(NOW));
    page.call(
        "Network.emulateNetworkConditions",
        json!({ "offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0 }),
    );
    use_all(&page);
    assert_eq!(
        page.text("document.getElementById('verdict').className"),
        "card verdict good"
    );
    check_quiet(&page);
}

#[test]
fn content_security_policy_forbids_connections() {
    let fixture = PageFixture::start();
    let served = ServedPage::start();
    for url in [&from_disk(), &served.url] {
        let page = fixture.open(url, None);
        let directives = page.evaluate(
            "(async () => {
                const refused = [];
                const violation = (run) => new Promise((resolve) => {
                    document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective), { once: true });
                    try { Promise.resolve(run()).catch(() => {}); } catch {}
                });
                const elsewhere = 'http://127.0.0.1:9/leak';
                refused.push(await violation(() => fetch(elsewhere)));
                refused.push(await violation(() => { const request = new XMLHttpRequest(); request.open('GET', elsewhere); request.send(); }));
                refused.push(await violation(() => new WebSocket('ws://127.0.0.1:9/leak')));
                refused.push(await violation(() => navigator.sendBeacon(elsewhere)));
                refused.push(await violation(() => new EventSource(elsewhere)));
                refused.push(await violation(() => { new Image().src = elsewhere; }));
                refused.push(await violation(() => { const frame = document.createElement('iframe'); frame.src = elsewhere; document.body.append(frame); }));
                refused.push(await violation(() => { const link = document.createElement('link'); link.rel = 'stylesheet'; link.href = elsewhere; document.head.append(link); }));
                refused.push(await violation(() => { const form = document.createElement('form'); form.action = elsewhere; document.body.append(form); form.submit(); }));
                refused.push(await violation(() => { document.body.insertAdjacentHTML('beforeend', '<p>x</p>'); }));
                refused.push(await violation(() => { document.createElement('script').src = 'rules.js'; }));
                refused.push(await violation(() => self.trustedTypes.createPolicy('another', {})));
                return refused;
            })()",
        );
        assert_eq!(
            directives,
            json!([
                "connect-src",
                "connect-src",
                "connect-src",
                "connect-src",
                "connect-src",
                "img-src",
                "frame-src",
                "style-src-elem",
                "form-action",
                "require-trusted-types-for",
                "require-trusted-types-for",
                "trusted-types"
            ]),
            "{url}"
        );
    }
}
