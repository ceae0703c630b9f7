//! Renewals while another process holds the lock of the session. The folder of the file is locked by the test, and the
//! service is a proxy that counts connections.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::driver::{Driver, DriverSettings};
use crate::environment::Environment;
use crate::finding::Findings;
use crate::settings::Settings;

const NOW: UnixTime = UnixTime::from_seconds(1_780_000_000);
const REFRESH: &str = r#""oauth_refresh_token": "FakeRefresh1""#;
const SESSION: &str = r#""access_key_id": "STS.FakeAccessKeyId1", "access_key_secret": "FakeSecret1",
    "sts_token": "FakeToken1", "sts_expiration": 1780003600"#;

struct Fixture {
    home: TempDir,
    proxy: TcpListener,
}

impl Fixture {
    /// Makes a file whose profile has a session of `mode` with `members`.
    fn new(mode: &str, members: &str) -> Self {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        proxy.set_nonblocking(true).unwrap();
        let fixture = Self {
            home: tempfile::tempdir().unwrap(),
            proxy,
        };
        fs::create_dir(fixture.folder()).unwrap();
        write(&fixture.file(), mode, members);
        fixture
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join(".aliyun")
    }

    fn file(&self) -> PathBuf {
        self.folder().join("config.json")
    }

    /// Obtains a key in a command that has `timeout`. Returns its secret, or the error.
    fn obtain(&self, clock: fn() -> UnixTime, timeout: Duration) -> Result<String, String> {
        let home = self.home.path().to_str().unwrap().to_owned();
        let proxy = format!("http://{}", self.proxy.local_addr().unwrap());
        let environment: Environment =
            [("HOME".to_owned(), home), ("HTTPS_PROXY".to_owned(), proxy)]
                .into_iter()
                .collect();
        let settings = Settings::default();
        let driver = DriverSettings {
            clock,
            timeout,
            ca_file: None,
        };
        let mut client = Client {
            settings: &settings,
            environment: &environment,
            cache: None,
            driver: &mut Driver::new(driver, &environment),
            findings: &mut Findings::default(),
        };
        match client.obtain() {
            Ok(key) => Ok(key.key.secret.expose().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Returns whether a connection was made.
    fn is_called(&self) -> bool {
        match self.proxy.accept() {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }
}

fn write(file: &Path, mode: &str, members: &str) {
    let text = format!(
        r#"{{"current": "p", "profiles": [{{"name": "p", "mode": "{mode}", {members}}}]}}"#
    );
    fs::write(file, text).unwrap();
}

fn oauth(members: &str) -> String {
    format!(r#""oauth_site_type": "CN", {members}"#)
}

fn lock(folder: &Path) -> File {
    let folder = File::open(folder).unwrap();
    folder.lock().unwrap();
    folder
}

#[test]
fn refresh_token_is_not_sent_while_another_process_holds_the_lock() {
    let fixture = Fixture::new("OAuth", &oauth(REFRESH));
    // The lock of the renewal, and the lock of the SDK.
    for path in [fixture.folder(), fixture.file()] {
        let _held = lock(&path);
        let error = fixture
            .obtain(|| NOW, Duration::from_millis(400))
            .unwrap_err();
        assert!(
            error.contains("another process has locked its file"),
            "{error}"
        );
        assert!(!fixture.is_called());
    }

    // The client fails because the proxy does not answer.
    let error = fixture
        .obtain(|| NOW, Duration::from_millis(400))
        .unwrap_err();
    assert!(
        error.contains("during the renewal of the OAuth session"),
        "{error}"
    );
}

#[test]
fn access_token_and_cloud_sso_session_need_no_lock() {
    let access = r#""oauth_access_token": "FakeAccess1", "oauth_access_token_expire": 1780003600"#;
    let cloud_sso = r#""cloud_sso_sign_in_url": "https://signin.example/login", "cloud_sso_account_id": "1",
        "cloud_sso_access_config": "ac-1", "access_token": "FakeAccess1", "cloud_sso_access_token_expire": 1780003600"#;
    for (mode, members, expected) in [
        (
            "OAuth",
            oauth(&format!("{REFRESH}, {access}")),
            "the request for the key of the OAuth session",
        ),
        (
            "CloudSSO",
            cloud_sso.to_owned(),
            "the request for the key of the CloudSSO session",
        ),
    ] {
        let fixture = Fixture::new(mode, &members);
        let _held = lock(&fixture.folder());
        // The client fails because the proxy does not answer.
        let error = fixture
            .obtain(|| NOW, Duration::from_millis(400))
            .unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

/// The file that the clock of the next test writes, and the number of times that the clock has been read.
static RENEWED: Mutex<(Option<PathBuf>, usize)> = Mutex::new((None, 0));

/// The clock of a command that waits for the lock while the holder of the lock writes the new session.
fn clock_that_renews() -> UnixTime {
    let mut renewed = RENEWED.lock().unwrap();
    renewed.1 += 1;
    // The command has read the file, and has not yet waited.
    if let (Some(file), 2) = (&renewed.0, renewed.1) {
        write(file, "OAuth", &oauth(&format!("{REFRESH}, {SESSION}")));
    }
    NOW
}

#[test]
fn session_that_the_holder_of_the_lock_has_written_is_used() {
    let fixture = Fixture::new("OAuth", &oauth(REFRESH));
    *RENEWED.lock().unwrap() = (Some(fixture.file()), 0);
    let _held = lock(&fixture.folder());
    let key = fixture.obtain(clock_that_renews, Duration::from_millis(400));
    assert_eq!(key.as_deref(), Ok("FakeSecret1"));
    assert!(!fixture.is_called());
}

/// The time of the command of the next test.
const SLOW_TIMEOUT: Duration = Duration::from_secs(1);

/// The clock of a command that has spent most of its time before it renews a session.
fn slow_clock() -> UnixTime {
    static SLEEP: Once = Once::new();
    SLEEP.call_once(|| thread::sleep(SLOW_TIMEOUT * 17 / 20));
    NOW
}

#[test]
fn refresh_token_is_not_sent_shortly_before_the_deadline() {
    let fixture = Fixture::new("OAuth", &oauth(REFRESH));
    let error = fixture.obtain(slow_clock, SLOW_TIMEOUT).unwrap_err();
    assert!(error.contains("too little time is left"), "{error}");
    assert!(!fixture.is_called());
}
