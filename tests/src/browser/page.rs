//! A page of a browser.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::connection::{DEADLINE, DevToolsConnection};

const POLL: Duration = Duration::from_millis(20);

/// A page of a [`Browser`](super::Browser).
pub struct Page {
    connection: Arc<DevToolsConnection>,
    session: String,
}

/// The size of a window, in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// The width.
    pub width: u32,
    /// The height.
    pub height: u32,
}

impl Page {
    pub(super) fn new(connection: Arc<DevToolsConnection>, session: String) -> Self {
        let page = Self {
            connection,
            session,
        };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page
    }

    /// Calls a method of the protocol and returns its result.
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.connection.call(Some(&self.session), method, params)
    }

    /// Opens `url`, and waits until it has loaded.
    ///
    /// # Panics
    /// If the page cannot be opened.
    pub fn open(&self, url: &str) {
        let navigation = self.call("Page.navigate", json!({ "url": url }));
        assert!(navigation["errorText"].is_null(), "{url}: {navigation}");
        self.wait("document.readyState === 'complete'");
    }

    /// Returns the value of the expression `script`. Waits for the value if it is a promise.
    ///
    /// # Panics
    /// If the script throws an exception.
    pub fn evaluate(&self, script: &str) -> Value {
        let mut answer = self.call(
            "Runtime.evaluate",
            json!({ "expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true }),
        );
        let thrown = &answer["exceptionDetails"];
        let brief: String = script.chars().take(200).collect();
        assert!(thrown.is_null(), "{brief}: {thrown}");
        answer["result"]["value"].take()
    }

    /// Returns the value of the expression `script`, which is a string.
    ///
    /// # Panics
    /// If the value is not a string.
    pub fn text(&self, script: &str) -> String {
        let value = self.evaluate(script);
        let text = value.as_str().map(str::to_owned);
        text.unwrap_or_else(|| panic!("{script}: expected a string, found {value}"))
    }

    /// Waits until the expression `condition` is true.
    ///
    /// # Panics
    /// If the condition does not become true in time.
    pub fn wait(&self, condition: &str) {
        let deadline = Instant::now() + DEADLINE;
        while self.evaluate(&format!("Boolean({condition})")) != true {
            assert!(
                Instant::now() < deadline,
                "timed out waiting for {condition}"
            );
            thread::sleep(POLL);
        }
    }

    /// Presses and releases a key, by its name in the DOM. `shift` holds the Shift key down.
    pub fn press(&self, key: &str, shift: bool) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            " " => (32, " "),
            "Escape" => (27, ""),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            "Home" => (36, ""),
            "End" => (35, ""),
            other => panic!("no key code for {other}"),
        };
        let modifiers = if shift { 8 } else { 0 };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            self.call(
                "Input.dispatchKeyEvent",
                json!({
                    "type": kind, "key": key, "code": if key == " " { "Space" } else { key },
                    "windowsVirtualKeyCode": code, "text": text, "modifiers": modifiers,
                }),
            );
        }
    }

    /// Inserts the whole `text` at the focus in one step, as an input method does.
    pub fn insert(&self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Resizes the window to `size`.
    pub fn resize(&self, size: Size) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": size.width, "height": size.height, "deviceScaleFactor": 1, "mobile": false }),
        );
    }

    /// Writes a screenshot of the whole page to `file`.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn screenshot(&self, file: &Path) {
        let picture = self.call(
            "Page.captureScreenshot",
            json!({ "format": "png", "captureBeyondViewport": true }),
        );
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap_or_default());
        fs::write(file, bytes.expect("a picture in base64")).expect("the picture is written");
    }

    /// Returns the URLs that the page has requested.
    pub fn requests(&self) -> Vec<String> {
        let events = self.connection.events(&self.session).into_iter();
        events
            .filter(|(method, _)| method == "Network.requestWillBeSent")
            .filter_map(|(_, params)| params["request"]["url"].as_str().map(str::to_owned))
            .collect()
    }

    /// Returns the exceptions, the errors and warnings on the console, and the browser's log entries, such as refusals.
    pub fn complaints(&self) -> Vec<String> {
        let events = self.connection.events(&self.session).into_iter();
        events
            .filter_map(|(method, params)| match method.as_str() {
                "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" => {
                    let is_bad = ["error", "warning", "assert"].contains(&params["type"].as_str()?);
                    is_bad.then(|| params["args"].to_string())
                }
                "Log.entryAdded" => Some(params["entry"].to_string()),
                _ => None,
            })
            .collect()
    }

    /// Returns all events of the page: console, network, navigation. Tests search it for text that must not leave the
    /// page.
    pub fn traffic(&self) -> String {
        let events = self.connection.events(&self.session);
        events
            .iter()
            .map(|(method, params)| format!("{method} {params}\n"))
            .collect()
    }
}
