//! Keys from a URL, and the faults of its service.

use ack_ram_tests::http_service::ServiceFault;
use ack_ram_tests::sts::demo;
use serde_json::json;

use crate::case::{Case, Program};
use crate::fixture::{Calls, ClientFixture};

const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";

fn url(fixture: &ClientFixture, name: &str) -> Case {
    let case = Case::new(name).only(Program::Token);
    case.variable(URI, fixture.url.url())
}

#[tokio::test]
async fn reply_without_a_usable_key_is_reported() {
    let fixture = ClientFixture::start();
    let patch = |patch| ServiceFault::Patch(patch);
    for (fault, texts) in [
        (ServiceFault::Status(404), &["404"][..]),
        (ServiceFault::Status(500), &["500"]),
        (ServiceFault::Html, &["malformed"]),
        (ServiceFault::Body(""), &["malformed"]),
        (ServiceFault::EndlessBody, &["too large"]),
        (ServiceFault::Close, &["did not answer"]),
        (ServiceFault::Redirect(fixture.url.url()), &["302"]),
        (patch(json!({ "Code": "Failed" })), &["`Code`"]),
        (patch(json!({ "AccessKeyId": null })), &["`AccessKeyId`"]),
        (
            patch(json!({ "AccessKeySecret": null })),
            &["`AccessKeySecret`"],
        ),
        (patch(json!({ "AccessKeyId": 1 })), &["`AccessKeyId`"]),
        (
            patch(json!({ "Expiration": "tomorrow" })),
            &["`Expiration`"],
        ),
        (
            patch(json!({ "Expiration": "2020-01-01T00:00:00Z" })),
            &["2020-01-01"],
        ),
    ] {
        fixture.url.http.set_fault(Some(fault.clone()));
        let case = url(&fixture, &format!("{fault:?}")).refused(texts, Calls::URL);
        case.check(&fixture).await;
    }
}

#[tokio::test]
async fn reply_with_less_than_usual_logs_in() {
    let fixture = ClientFixture::start();
    fixture
        .url
        .http
        .set_fault(Some(ServiceFault::Patch(json!({ "Code": null }))));
    let case = url(&fixture, "no `Code`").granted("url:sidecar", Calls::URL);
    case.check(&fixture).await;

    let guarded = fixture.guarded_url();
    Case::new("a user and a password")
        .variable(URI, guarded.url())
        .granted("url:sidecar", Calls::NONE)
        .check(&fixture)
        .await;
    Case::new("another password")
        .variable(URI, guarded.url().replace("s3cret", "wrong"))
        .refused(&["401"], Calls::NONE)
        .check(&fixture)
        .await;
}

/// A key that has an end is cached; without an end, nobody knows how long it may be used.
#[tokio::test]
async fn key_is_cached_if_it_has_an_end() {
    let fixture = ClientFixture::start();
    let case = url(&fixture, "with an end").granted("url:sidecar", Calls::URL);
    let home = case.home(&fixture);
    case.check_in(&fixture, &home, Program::Token).await;
    let cached = case.granted("url:sidecar", Calls::NONE);
    cached.check_in(&fixture, &home, Program::Token).await;

    fixture
        .url
        .http
        .set_fault(Some(ServiceFault::Patch(json!({ "Expiration": null }))));
    let case = url(&fixture, "without an end").granted("url:sidecar", Calls::URL);
    let home = case.home(&fixture);
    for _ in 0..2 {
        case.check_in(&fixture, &home, Program::Token).await;
    }
}

/// The URL can be that of a service behind the proxy of its scheme.
#[tokio::test]
async fn url_of_another_host_is_called_by_the_proxy() {
    let fixture = ClientFixture::start();
    fixture
        .proxy
        .route("keys.example.com:80", fixture.url.http.address());
    let uri = "http://keys.example.com/credentials?for=tests";
    Case::new("by the proxy")
        .only(Program::Token)
        .variable(URI, uri)
        .granted("url:sidecar", Calls::URL)
        .check(&fixture)
        .await;
    assert_eq!(fixture.proxy.requests(), ["GET keys.example.com:80"]);
    Case::new("switched off")
        .key_variables(&demo::user_key())
        .only(Program::GetToken)
        .args(&["--ignore-env-credentials"])
        .refused(&["ignored"], Calls::NONE)
        .check(&fixture)
        .await;
    Case::new("no external process")
        .variable(URI, uri)
        .variable("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", "true")
        .refused(&["ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"], Calls::NONE)
        .check(&fixture)
        .await;
}

#[tokio::test]
async fn encrypted_url_with_trusted_certificate_logs_in() {
    let fixture = ClientFixture::start();
    let service = fixture.encrypted_url("keys.example.com");
    fixture
        .proxy
        .route("keys.example.com:443", service.http.address());
    for (name, uri, requests) in [
        ("on loopback", service.url(), &[][..]),
        (
            "by the proxy",
            "https://keys.example.com/credentials?for=tests".to_owned(),
            &["CONNECT keys.example.com:443"],
        ),
    ] {
        let before = service.key_requests();
        Case::new(name)
            .only(Program::Token)
            .variable(URI, &*uri)
            .granted("url:sidecar", Calls::NONE)
            .check(&fixture)
            .await;
        assert_eq!(service.key_requests() - before, 1, "{name}");
        assert_eq!(fixture.proxy.requests(), requests, "{name}");
    }
}

#[tokio::test]
async fn encrypted_url_with_wrong_certificate_gets_no_request() {
    let fixture = ClientFixture::start();
    let untrusted = fixture.untrusted_url("keys.example.com");
    let other_name = fixture.encrypted_url("other.example.com");
    let plain = fixture.url.url().replace("http://", "https://");
    fixture
        .proxy
        .route("keys.example.com:443", other_name.http.address());
    let config = "clusterID: c1\nserver: {sts: {caFile: '{home}/ca.pem'}}\n";
    let ca_file = std::fs::read_to_string(fixture.ca_file()).unwrap();
    for (name, uri, text, advice) in [
        (
            "an unknown authority",
            untrusted.url(),
            "invalid peer certificate",
            "set `SSL_CERT_FILE`",
        ),
        (
            "an authority that is not in the file of the configuration",
            untrusted.url(),
            "invalid peer certificate",
            "add the CA that issued the certificate to the file in `server.sts.caFile`",
        ),
        (
            "the certificate of another host",
            "https://keys.example.com/credentials?for=tests".to_owned(),
            "not valid for name",
            "use a host name in the certificate",
        ),
        ("no TLS", plain, "did not answer", "does not use TLS"),
    ] {
        let mut case = Case::new(name).only(Program::Token).variable(URI, &*uri);
        if advice.contains("caFile") {
            case = case.file("ca.pem", &*ca_file).file("config.yaml", config);
            case = case.args(&["--config", "{home}/config.yaml"]);
        }
        // `check` requires exit code 1, and nothing on standard output.
        let texts = [URI, text, "did not answer"];
        case.clone()
            .refused(&texts, Calls::NONE)
            .check(&fixture)
            .await;
        let run = case.run_in(&case.home(&fixture), Program::Token);
        let lines: Vec<&str> = run.stderr.lines().collect();
        let [cause, remedy] = *lines else {
            panic!("{name}: {lines:?}");
        };
        assert!(cause.starts_with("error: "), "{name}: {lines:?}");
        assert!(remedy.starts_with("  help: "), "{name}: {lines:?}");
        assert!(remedy.contains(advice), "{name}: {lines:?}");
        assert!(!cause.contains(advice), "{name}: {lines:?}");
    }
    for service in [untrusted, other_name] {
        assert_eq!(service.key_requests(), 0);
    }
}
