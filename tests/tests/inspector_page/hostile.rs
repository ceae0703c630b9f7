//! Hostile input: every paste or drop gets a verdict or the message that it is too large, and never an exception.

use ack_ram_tests::browser::Page;
use serde_json::json;

use crate::fixture::{NOW, PageFixture, canary_token, check_quiet, js, open_playground};

/// Pastes the value of the expression `text` as a user does. Returns the heading of the verdict and the time that it
/// took, in milliseconds.
fn paste(page: &Page, text: &str) -> (String, f64) {
    let result = page.evaluate(&format!(
        "(() => {{
            const text = {text};
            const field = document.getElementById('pasted');
            field.focus();
            field.select();
            const data = new DataTransfer();
            data.setData('text/plain', text);
            const start = performance.now();
            const event = new ClipboardEvent('paste', {{ clipboardData: data, bubbles: true, cancelable: true }});
            // A synthetic event does not change the field by itself.
            if (field.dispatchEvent(event)) {{ field.value = text; field.dispatchEvent(new Event('input')); }}
            const title = document.querySelector('#verdict h2').textContent;
            return [title, performance.now() - start];
        }})()"
    ));
    (
        result[0].as_str().unwrap().to_owned(),
        result[1].as_f64().unwrap(),
    )
}

/// Drops a file with `bytes`, and returns the heading of the verdict.
fn drop_file(page: &Page, bytes: &str) -> String {
    page.evaluate(&format!(
        "(() => {{
            document.querySelector('#verdict h2').textContent = '';
            const data = new DataTransfer();
            data.items.add(new File([{bytes}], 'file'));
            document.getElementById('drop').dispatchEvent(new DragEvent('drop', {{ dataTransfer: data, bubbles: true, cancelable: true }}));
        }})()"
    ));
    page.wait("document.querySelector('#verdict h2').textContent");
    page.text("document.querySelector('#verdict h2').textContent")
}

#[test]
fn hostile_pastes_are_answered_or_too_large() {
    let fixture = PageFixture::start();
    let page = fixture.page_at_fixed_time();
    let token = canary_token(NOW);
    let too_large = "The input is too large";
    let not_ours = "Not a token of ack-ram-authenticator";
    println!("{:<44} {:>9}", "pasted", "answered");
    for (input, text, title) in [
        ("1 MB of garbage", "Array.from({ length: 1 << 20 }, (_, i) => String.fromCharCode(33 + (i * 7919) % 90)).join('')".to_owned(), too_large),
        ("1 MB of emoji", "'😀'.repeat(1 << 18)".to_owned(), too_large),
        ("10,000 tokens", format!("({} + '\\n').repeat(10000)", js(token.as_str())), too_large),
        ("240 KB of garbage", "'x\\u0000é<b>'.repeat(30000)".to_owned(), not_ours),
        ("250 KB of brackets", "'{'.repeat(250000)".to_owned(), "The JSON is not valid"),
        ("250 KB of prefixes", "'k8s-ack-v2.'.repeat(22000)".to_owned(), "The server would refuse this token"),
        ("150 tokens", format!("Array.from({{ length: 150 }}, (_, i) => {} + i).join(' ')", js(token.as_str())), "The server would refuse this token"),
        ("a token of 250 KB", "'k8s-ack-v2.' + 'A'.repeat(250000)".to_owned(), "The server would refuse this token"),
        ("a token of 60 KB with a member of 40 KB", "'k8s-ack-v2.' + btoa(JSON.stringify({ headers: { 'user-agent': 'x'.repeat(40000) } }))".to_owned(), "The server would refuse this token"),
        ("markup", "'<img src=x onerror=alert(1)>k8s-ack-v2.' + btoa('{\"method\":\"<script>alert(1)</script>\"}')".to_owned(), "The server would refuse this token"),
    ] {
        let (heading, milliseconds) = paste(&page, &text);
        println!("{input:<44} {milliseconds:>6.1} ms");
        assert_eq!(heading, title, "{input}");
        let kept = page.evaluate("document.getElementById('pasted').value.length <= 256 * 1024");
        assert_eq!(kept, true, "{input}");
        let markup = page.evaluate("document.querySelectorAll('main img, main script').length");
        assert_eq!(markup, 0, "{input}");
    }
    // The previous text does not come back, and the next token gets its verdict.
    assert_eq!(
        paste(&page, &js(token.as_str())).0,
        "The token passes all offline checks"
    );
    check_quiet(&page);
}

#[test]
fn hostile_files_are_read_or_refused() {
    let fixture = PageFixture::start();
    let page = fixture.page_at_fixed_time();
    let token = canary_token(NOW);
    for (bytes, title) in [
        (js(token.as_str()), "The token passes all offline checks"),
        (
            "new Uint8Array(1000).map((_, i) => i * 31)".to_owned(),
            "Not a text file",
        ),
        (
            "new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 0])".to_owned(),
            "Not a text file",
        ),
        ("'a\\0b'".to_owned(), "Not a text file"),
        ("new Uint8Array(3e6)".to_owned(), "The input is too large"),
        ("''".to_owned(), "No input yet"),
    ] {
        assert_eq!(drop_file(&page, &bytes), title, "{bytes}");
    }
    check_quiet(&page);
}

#[test]
fn hostile_configurations_get_an_answer() {
    let fixture = PageFixture::start();
    let page = fixture.page();
    open_playground(&page);
    let anchors: String = (1..60)
        .map(|n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1))
        .collect();
    let anchors = format!("a0: &a0 [x, x]\n{anchors}");
    for (text, title) in [
        ("a: [", "The configuration is not valid"),
        ("\0\u{1}", "The configuration is not valid"),
        ("kind: Pod", "The configuration is not valid"),
        ("- 1\n- 2", "The configuration is not valid"),
        (&anchors, "The configuration is not valid"),
        (&"[".repeat(100_000), "The configuration is not valid"),
        (&"a".repeat(2_000_000), "The input is too large"),
        ("clusterID: c1", "Enter an identity"),
        ("---\n---\n", "Enter an identity"),
    ] {
        page.evaluate(&format!(
            "(() => {{
                document.querySelector('#rules-verdict h2').textContent = '';
                const field = document.getElementById('rules-old');
                field.value = {};
                field.dispatchEvent(new Event('input'));
            }})()",
            js(text)
        ));
        page.wait("document.querySelector('#rules-verdict h2').textContent");
        let heading = page.text("document.querySelector('#rules-verdict h2').textContent");
        let brief: String = text.chars().take(40).collect();
        assert_eq!(heading, title, "{brief}");
    }
    assert_eq!(
        page.complaints(),
        json!([])
            .as_array()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    );
    check_quiet(&page);
}
