//! Calls through SOCKS and HTTP proxies.

use ack_ram_tests::connect_proxy::ConnectProxy;
use ack_ram_tests::socks_proxy::{SocksProxy, SocksTarget};
use ack_ram_tests::sts::demo;

use crate::case::{Case, Program};
use crate::fixture::{Calls, ClientFixture, role_arn};

const STS: &str = "sts.aliyuncs.com:443";
/// A name that does not resolve to an address, so that only a proxy leads to the service.
const KEY_HOST: &str = "keys.proxied.invalid";
const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";
const USER: &str = "socks-user";
/// Escapes in the URL stand for characters of the password.
const PASSWORD: &str = "s3cret/with:marks@";
const PASSWORD_IN_URL: &str = "s3cret%2Fwith%3Amarks%40";

fn role(name: &str, proxy: &str) -> Case {
    let case = Case::new(name).only(Program::Token);
    case.key_variables(&demo::user_key())
        .variable("ALIBABA_CLOUD_ROLE_ARN", role_arn("deploy"))
        .variable("HTTPS_PROXY", proxy)
}

/// Returns a case of a key from a URL at [`KEY_HOST`].
fn key_url(fixture: &ClientFixture, name: &str, proxy: &str) -> Case {
    let address = fixture.url.http.address().to_string();
    let url = fixture.url.url().replace(&address, KEY_HOST);
    let case = Case::new(name).only(Program::Token);
    case.variable(URI, url).variable("HTTP_PROXY", proxy)
}

#[tokio::test]
async fn socks_proxy_resolves_the_name_and_leads_to_sts() {
    let fixture = ClientFixture::start();
    let open = SocksProxy::start().unwrap();
    let guarded = SocksProxy::start_for(USER, PASSWORD).unwrap();
    for proxy in [&open, &guarded] {
        proxy.route(STS, fixture.sts().address());
    }
    for scheme in ["socks5", "socks5h"] {
        for (proxy, user) in [
            (&open, String::new()),
            (&guarded, format!("{USER}:{PASSWORD_IN_URL}@")),
        ] {
            let before = proxy.requests().len();
            let url = format!("{scheme}://{user}{}", proxy.address());
            role(scheme, &url)
                .granted("deploy:*", Calls::ASSUME_ROLE)
                .check(&fixture)
                .await;
            let requests = proxy.requests().split_off(before);
            assert_eq!(requests, [SocksTarget::Name(STS.to_owned())], "{url}");
        }
    }
    assert_eq!(open.refused_logins() + guarded.refused_logins(), 0);
}

#[tokio::test]
async fn refusal_of_a_socks_proxy_names_the_variable_and_no_password() {
    let fixture = ClientFixture::start();
    let guarded = SocksProxy::start_for(USER, PASSWORD).unwrap();
    guarded.route(STS, fixture.sts().address());
    let open = SocksProxy::start().unwrap();
    for (name, proxy, user) in [
        ("another password", &guarded, "socks-user:s3cret-other@"),
        ("no user", &guarded, ""),
        // hyper-util offers only the method that it is set up for.
        (
            "a user for a proxy without users",
            &open,
            "socks-user:s3cret@",
        ),
        ("a host that the proxy does not know", &open, ""),
    ] {
        let url = format!("socks5h://{user}{}", proxy.address());
        let named = format!("through the proxy `{}` from `HTTPS_PROXY`", proxy.address());
        // `check` searches the output for the password, also in the log.
        role(name, &url)
            .refused(&[&named], Calls::NONE)
            .check(&fixture)
            .await;
        role(name, &url)
            .with_debug_log()
            .refused(&[&named], Calls::NONE)
            .check(&fixture)
            .await;
    }
    assert_eq!(guarded.requests(), []);
    assert!(guarded.refused_logins() > 0);
}

#[tokio::test]
async fn no_proxy_host_bypasses_the_proxy() {
    let fixture = ClientFixture::start();
    let socks = SocksProxy::start().unwrap();
    let url = format!("socks5h://{}", socks.address());
    for no_proxy in ["sts.proxied.invalid", ".proxied.invalid", "*"] {
        role(no_proxy, &url)
            .args(&["--sts-endpoint", "sts.proxied.invalid"])
            .variable("NO_PROXY", no_proxy)
            .refused(&["sts.proxied.invalid"], Calls::NONE)
            .check(&fixture)
            .await;
    }
    // Without `NO_PROXY`, the proxy gets the call.
    let named = format!("through the proxy `{}`", socks.address());
    role("another host in `NO_PROXY`", &url)
        .args(&["--sts-endpoint", "sts.proxied.invalid"])
        .variable("NO_PROXY", "proxied.example")
        .refused(&[&named], Calls::NONE)
        .check(&fixture)
        .await;
    let target = SocksTarget::Name("sts.proxied.invalid:443".to_owned());
    assert!(socks.requests().iter().all(|request| *request == target));
    assert!(!socks.requests().is_empty());
}

#[tokio::test]
async fn unencrypted_call_uses_the_proxy_of_http() {
    let fixture = ClientFixture::start();
    let http = ConnectProxy::start().unwrap();
    let socks = SocksProxy::start_for(USER, PASSWORD).unwrap();
    let target = format!("{KEY_HOST}:80");
    http.route(&target, fixture.url.http.address());
    socks.route(&target, fixture.url.http.address());

    let plain = http.url();
    let with_user = plain.replace("http://", &format!("http://{USER}:{PASSWORD_IN_URL}@"));
    for (name, proxy) in [("no user", &plain), ("a user", &with_user)] {
        key_url(&fixture, name, proxy)
            .granted("url:sidecar", Calls::URL)
            .check(&fixture)
            .await;
    }
    // The second call has the base64 of `socks-user:s3cret/with:marks@`.
    let path = "GET http://keys.proxied.invalid/credentials?for=tests HTTP/1.1";
    let expected = [
        (path.to_owned(), None),
        (
            path.to_owned(),
            Some("Basic c29ja3MtdXNlcjpzM2NyZXQvd2l0aDptYXJrc0A=".to_owned()),
        ),
    ];
    let heads = http.heads();
    let sent: Vec<_> = heads.iter().map(|head| request_and_login(head)).collect();
    assert_eq!(sent, expected);
    let url = format!("socks5h://{USER}:{PASSWORD_IN_URL}@{}", socks.address());
    key_url(&fixture, "a SOCKS proxy", &url)
        .granted("url:sidecar", Calls::URL)
        .check(&fixture)
        .await;
    assert_eq!(socks.requests(), [SocksTarget::Name(target)]);
}

/// Returns the request line, and the value of `Proxy-Authorization`.
fn request_and_login(head: &str) -> (String, Option<String>) {
    let mut lines = head.lines();
    let request = lines.next().unwrap_or_default().to_owned();
    let login = lines.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization")
            .then(|| value.to_owned())
    });
    (request, login)
}

#[tokio::test]
async fn metadata_service_is_never_called_through_a_proxy() {
    let fixture = ClientFixture::start();
    let http = ConnectProxy::start().unwrap();
    http.route(
        "metadata.proxied.invalid:80",
        fixture.metadata.http.address(),
    );
    let socks = SocksProxy::start().unwrap();
    socks.route(
        "metadata.proxied.invalid:80",
        fixture.metadata.http.address(),
    );
    for proxy in [http.url(), format!("socks5h://{}", socks.address())] {
        Case::new(&proxy)
            .args(&["--credential-type", "imds"])
            .only(Program::GetToken)
            .variable(
                "ALIBABA_CLOUD_IMDS_ENDPOINT",
                "http://metadata.proxied.invalid",
            )
            .variable("HTTP_PROXY", &*proxy)
            .refused(&["metadata.proxied.invalid"], Calls::NONE)
            .check(&fixture)
            .await;
    }
    assert_eq!(http.requests(), Vec::<String>::new());
    assert_eq!(socks.requests(), []);
}
