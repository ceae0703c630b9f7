//! A browser with the page.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::authenticator;
use ack_ram_tests::browser::{Browser, Page, Size};
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use ack_ram_tests::callers::CLUSTER;
/// The time of a page that [`PageFixture::page_at_fixed_time`] opens.
pub const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
/// The signature and the security token of [`canary_token`], which must not appear anywhere else.
pub const CANARY: &str = "CAISCANARY0123456789canary";
pub const WIDE: Size = Size {
    width: 1280,
    height: 900,
};

pub struct PageFixture {
    browser: Browser,
}

impl PageFixture {
    pub fn start() -> Self {
        Self {
            browser: Browser::start(),
        }
    }

    /// Opens the page from the disk, and waits until it is ready.
    pub fn page(&self) -> Page {
        self.open(&from_disk(), None)
    }

    /// Opens the page from the disk with a clock that is fixed at [`NOW`] until `testNow` is set.
    pub fn page_at_fixed_time(&self) -> Page {
        self.open(&from_disk(), Some(NOW))
    }

    pub fn open(&self, url: &str, now: Option<UnixTime>) -> Page {
        let page = self.browser.page();
        page.resize(WIDE);
        if let Some(now) = now {
            let seconds = now.seconds();
            let source = format!("self.testNow = {seconds}; Date.now = () => self.testNow * 1000;");
            page.call(
                "Page.addScriptToEvaluateOnNewDocument",
                json!({ "source": source }),
            );
        }
        page.open(url);
        page.wait("document.documentElement.dataset.ready");
        page
    }

    /// Opens an empty page.
    pub fn blank(&self) -> Page {
        self.browser.page()
    }
}

/// Returns the folder of the page.
pub fn dist() -> PathBuf {
    path_in("ACK_RAM_INSPECTOR")
}

pub fn path_in(variable: &str) -> PathBuf {
    env::var_os(variable).map_or_else(
        || panic!("`{variable}` is not set: run `cargo xtask test --only browser`"),
        PathBuf::from,
    )
}

pub fn from_disk() -> String {
    format!("file://{}/index.html", dist().display())
}

/// Saves a screenshot of `page`.
pub fn picture(page: &Page, name: &str) {
    let folder = path_in("ACK_RAM_SCREENSHOTS");
    fs::create_dir_all(&folder).unwrap();
    page.screenshot(&folder.join(format!("{name}.png")));
}

/// Returns `value` as a JavaScript literal.
pub fn js(value: impl Into<Value>) -> String {
    value.into().to_string()
}

/// Passes `text` to the page, as a drop does.
pub fn paste_text(page: &Page, text: &str) {
    page.evaluate(&format!("inspector.token.take({})", js(text)));
}

pub fn click(page: &Page, id: &str) {
    page.evaluate(&format!("document.getElementById('{id}').click()"));
}

/// Opens the playground, and waits until it is ready.
pub fn open_playground(page: &Page) {
    click(page, "tab-rules");
    page.wait("document.getElementById('panel-rules').dataset.ready");
}

/// Signs a token with a temporary key at `date`.
pub fn canary_token(date: UnixTime) -> String {
    let key = AccessKey {
        security_token: Some(Secret::new(CANARY)),
        ..demo::session_key()
    };
    let cluster = ClusterId::parse(CLUSTER).unwrap();
    let token = sign_token_v2(&key, &cluster, "test/1", date).unwrap();
    token.expose().to_owned()
}

/// The page, served by the binary.
pub struct ServedPage {
    pub url: String,
    _process: Process,
    _folder: TempDir,
}

impl ServedPage {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let command = authenticator::command(folder.path(), &["inspector"]);
        let mut process = Process::spawn("inspector", command).unwrap();
        let is_url = |line: &str| line.starts_with("http://127.0.0.1:");
        let url = process.wait_for_line(is_url, Duration::from_secs(60));
        Self {
            url: url.unwrap_or_else(|error| panic!("{error}")),
            _process: process,
            _folder: folder,
        }
    }
}

/// Checks that `page` has no errors, and has requested only its own files.
#[track_caller]
pub fn check_quiet(page: &Page) {
    assert_eq!(page.complaints(), [] as [String; 0]);
    let here = page.text("location.href.replace(/[^/]*$/, '')");
    for url in page.requests() {
        assert!(url.starts_with(&here) || url == "about:blank", "{url}");
    }
}
