//! `inspector`: serves the page, or explains how to build it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ack_ram_tests::process::Process;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::program::TestFolder;

const LIMIT: Duration = Duration::from_secs(60);

/// Returns the files of the page in this program; none if the page was not built before the program.
fn page() -> Vec<PathBuf> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wasm/inspector/dist");
    let files = fs::read_dir(dist)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files.filter(|file| !file.ends_with(".gitignore")).collect()
}

#[tokio::test]
async fn inspector_page_is_served_or_its_build_explained() {
    let folder = TestFolder::new(&[]);
    let page = page();
    if page.is_empty() {
        let run = folder.run(&["inspector"], &[]);
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:?}");
        assert!(run.stderr.contains("run `cargo xtask wasm`"), "{run:?}");
        return;
    }
    let mut server = Process::spawn("inspector", folder.command(&["inspector"], &[])).unwrap();
    let url = server.wait_for_line(|line| line.starts_with("http://127.0.0.1:"), LIMIT);
    let url = url.unwrap_or_else(|error| panic!("{error}"));
    for file in page {
        let name = file.file_name().unwrap().to_str().unwrap();
        let response = call("GET", &format!("{url}{name}")).await;
        let headers = response.headers().clone();
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{name}");
        assert_eq!(
            headers["content-security-policy"], "frame-ancestors 'none'",
            "{name}"
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, fs::read(&file).unwrap(), "{name}");
    }
    for (method, path, status, kind) in [
        ("GET", "", 200, Some("text/html; charset=utf-8")),
        ("HEAD", "?x", 200, Some("text/html; charset=utf-8")),
        (
            "GET",
            "page.js",
            200,
            Some("text/javascript; charset=utf-8"),
        ),
        ("GET", ".gitignore", 404, None),
        ("GET", "../Cargo.toml", 404, None),
        ("POST", "", 405, None),
    ] {
        let response = call(method, &format!("{url}{path}")).await;
        assert_eq!(response.status(), status, "{path}");
        let found = response.headers().get("content-type");
        assert_eq!(found.map(|value| value.to_str().unwrap()), kind, "{path}");
    }
    let taken = url.trim_end_matches('/').rsplit(':').next().unwrap();
    let run = folder.run(&["inspector", "--port", taken], &[]);
    assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains("set --port"), "{run:?}");
    let status = server.stop(LIMIT).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(status.code(), Some(0), "{}", server.log());
}

async fn call(method: &str, url: &str) -> Response<hyper::body::Incoming> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder().method(method).uri(url);
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    client.request(request).await.unwrap()
}
