//! Tests against `tests/vectors/proxy.json`, which has the results of Go's `http.ProxyFromEnvironment`.

use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../../../../tests/vectors/proxy.json");
const PROXY: (&str, &str) = ("HTTPS_PROXY", "http://proxy.example:3128");

const STS: &str = "sts.aliyuncs.com";

fn parse_proxies(variables: &[(&str, &str)]) -> ProxySettings {
    ProxySettings::from_environment(&|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn uses_proxy(settings: &ProxySettings, destination: &str) -> bool {
    let (host, port) = destination.rsplit_once(':').unwrap();
    let proxy = settings.proxy_for(Encryption::Tls, host, port.parse().unwrap());
    proxy.unwrap().is_some()
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn no_proxy_exempts_as_in_go() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["noProxy"].as_array().unwrap();
    assert!(cases.len() > 120);
    for case in cases {
        let value = case["value"].as_str().unwrap();
        // Unlike Go, this parser does not convert internationalized names. Such an entry causes a warning.
        if value.contains('\u{4e2d}') {
            continue;
        }
        let settings = parse_proxies(&[PROXY, ("NO_PROXY", value)]);
        let is_direct = |destination: &&str| !uses_proxy(&settings, destination);
        // Unlike Go, this parser treats the name with a dot as this machine.
        let is_not_local = |destination: &&str| *destination != "localhost.:443";
        let destinations = texts(&vectors["destinations"]).into_iter();
        let destinations = destinations.filter(is_not_local);
        let direct: Vec<&str> = destinations.filter(is_direct).collect();
        let expected = texts(&case["direct"]).into_iter().filter(is_not_local);
        let expected: Vec<&str> = expected.collect();
        assert_eq!(direct, expected, "{value:?}");
        for destination in texts(&vectors["alwaysDirect"]) {
            assert!(is_direct(&destination), "{value:?}: {destination}");
        }
    }
}

#[test]
fn https_proxy_parses_as_in_go_or_is_refused() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["httpsProxy"].as_array().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let value = case["value"].as_str().unwrap();
        let settings = parse_proxies(&[("HTTPS_PROXY", value)]);
        match settings.proxy_for(Encryption::Tls, STS, 443) {
            Ok(proxy) => {
                assert!(case["refused"].is_null(), "{value:?}");
                let proxy = proxy.unwrap();
                let go = |key: &str| case["go"][key].as_str();
                let host = url::parse_host(go("host").unwrap()).unwrap();
                let port: u16 = go("port").unwrap().parse().unwrap();
                assert_eq!((&proxy.host, proxy.port), (&host, port), "{value:?}");
                let is_socks = go("scheme").unwrap().starts_with("socks5");
                let protocol = if is_socks {
                    ProxyProtocol::Socks5
                } else {
                    ProxyProtocol::Http
                };
                assert_eq!(proxy.protocol, protocol, "{value:?}");
                let authorization = proxy.user.as_ref().map(|user| user.authorization.expose());
                let basic = go("basic").map(|basic| format!("Basic {basic}"));
                assert_eq!(authorization, basic.as_deref(), "{value:?}");
            }
            Err(error) => {
                assert_eq!(case["refused"], error.fault.code(), "{value:?}");
                let text = error.to_string();
                assert!(text.contains("; "), "{text}");
                assert!(text.starts_with("`HTTPS_PROXY` "), "{text}");
            }
        }
    }
}

#[test]
fn password_delimiter_is_refused_and_not_shown() {
    for value in [
        "http://user:12#CANARY@proxy.example:3128",
        "http://user:12/CANARY@proxy.example:3128",
        "http://user:12?CANARY@proxy.example:3128",
        "http://user:CANARY@proxy.example:port",
        "user:12#CANARY@proxy.example",
        "http://user:CANARY%@proxy.example",
        "http://CANARY pass@proxy.example",
        "CANARY://proxy.example",
        "http://user:pass@CANARY^",
    ] {
        let settings = parse_proxies(&[("https_proxy", value)]);
        let error = settings.error().unwrap();
        assert!(error.to_string().starts_with("`https_proxy` "), "{error}");
        for text in [format!("{error} {error:?}"), format!("{settings:?}")] {
            assert!(!text.contains("CANARY"), "{text}");
        }
    }
    for (value, part) in [
        ("http://user:12#ss%40proxy:3128", "percent-encode"),
        ("http://proxy:3128/path", "nothing after the port"),
        ("proxy?a=b", "nothing after the port"),
        ("\"http://proxy:3128\"", "starts with a quote"),
        ("'http://proxy:3128'", "starts with a quote"),
        ("http://pro xy:3128", "contains whitespace"),
        (" http://proxy:3128", "contains whitespace"),
        ("http://pro\u{fffd}xy", "is not valid UTF-8"),
        ("http://proxy:3128:3128", "has more than one port"),
        ("http//proxy:3128", "write `http://"),
    ] {
        let error = parse_proxies(&[("HTTPS_PROXY", value)]).error();
        let text = error.unwrap_or_else(|| panic!("{value}")).to_string();
        assert!(text.contains(part), "{value}: {text}");
    }
    let unescaped = parse_proxies(&[("HTTPS_PROXY", "http://u:1#2@proxy")])
        .error()
        .unwrap();
    assert!(
        unescaped.to_string().contains("percent-encode"),
        "{unescaped}"
    );
}

#[test]
fn upper_case_variable_takes_precedence_unless_empty() {
    let name = |settings: &ProxySettings| {
        let proxy = settings.proxy_for(Encryption::Tls, STS, 443).unwrap();
        proxy.map(|proxy| (proxy.to_string(), proxy.variable))
    };
    let named = |proxy: &str, variable| Some((proxy.to_owned(), variable));
    let (upper, lower) = (("HTTPS_PROXY", "upper:1"), ("https_proxy", "lower:2"));
    for (set, expected) in [
        (&[upper, lower][..], named("upper:1", "HTTPS_PROXY")),
        (
            &[("HTTPS_PROXY", ""), lower],
            named("lower:2", "https_proxy"),
        ),
        (&[lower, ("NO_PROXY", ""), ("no_proxy", "*")], None),
        (
            &[upper, ("NO_PROXY", "other.example"), ("no_proxy", "*")],
            named("upper:1", "HTTPS_PROXY"),
        ),
        (&[("HTTP_PROXY", "other:1"), ("ALL_PROXY", "other:1")], None),
        (&[], None),
    ] {
        assert_eq!(name(&parse_proxies(set)), expected, "{set:?}");
    }
    let bracketed = parse_proxies(&[("HTTPS_PROXY", "[2001:db8::1]:3128")]);
    assert_eq!(name(&bracketed), named("[2001:db8::1]:3128", "HTTPS_PROXY"));
}

#[test]
fn malformed_proxy_is_ignored_for_exempt_host() {
    let settings = parse_proxies(&[
        ("HTTPS_PROXY", "http://u:1#2@proxy"),
        ("NO_PROXY", ".aliyuncs.com"),
    ]);
    assert_eq!(settings.proxy_for(Encryption::Tls, STS, 443), Ok(None));
    assert_eq!(settings.error().unwrap().fault, ProxyFault::Unescaped);
}

#[test]
fn ineffective_no_proxy_entry_is_a_warning() {
    for (value, parts) in [
        (
            "aliyuncs.com, .aliyuncs.com,*.aliyuncs.com:443,localhost",
            &[][..],
        ),
        (
            "10.0.0.0/8,10.1.2.3,10.1.2.3:443,2001:db8::/32,::1,[2001:db8::1]:443",
            &[],
        ),
        ("*,http://host", &[]),
        (",, ,", &[]),
        (
            "http://sts.aliyuncs.com",
            &["`http://sts.aliyuncs.com` in `NO_PROXY` is a URL"],
        ),
        (
            "sts.aliyuncs.com:443:x",
            &["`sts.aliyuncs.com:443:x` in `NO_PROXY` exempts nothing"],
        ),
        ("sts.aliyuncs.com:https", &["has a port that is not"]),
        (
            "sts.aliyuncs.com:0443,10.1.2.3:70000",
            &["has a port that is not", "has a port that is not"],
        ),
        (
            "10.0.0.0/99",
            &["`10.0.0.0/99` in `NO_PROXY` is not a CIDR range"],
        ),
        ("10.0.0.0/8:443", &["is not a CIDR range"]),
        ("a.example b.example", &["write commas between entries"]),
        ("a.example;b.example", &["write commas between entries"]),
        (
            "sts.*.aliyuncs.com",
            &["has a `*`, which is valid only alone"],
        ),
        ("*aliyuncs.com,*:443", &["has a `*`", "has a `*`"]),
        ("[2001:db8::1]", &["has brackets"]),
        (
            "aliyuncs.com.,*.,.",
            &["remove the dot", "remove the dot", "remove the dot"],
        ),
        (":443,:", &["exempts nothing", "exempts nothing"]),
        ("10.1.2,192.168.", &["exempts nothing", "remove the dot"]),
        ("fe80::1%eth0", &["exempts nothing"]),
        ("\u{4e2d}\u{6587}.example", &["`xn--...`"]),
        ("a\u{1}b", &["`a\\u{1}b` in `NO_PROXY` exempts nothing"]),
    ] {
        let settings = parse_proxies(&[PROXY, ("NO_PROXY", value)]);
        let warnings = settings.warnings();
        assert_eq!(warnings.len(), parts.len(), "{value:?}: {warnings:?}");
        for (warning, part) in warnings.iter().zip(parts) {
            assert!(warning.contains(part), "{value:?}: {warning}");
            assert!(warning.contains("; "), "{warning}");
        }
    }
    let passwords = parse_proxies(&[PROXY, ("NO_PROXY", "http://user:CANARY,CAN ARY@host")]);
    assert_eq!(passwords.warnings().len(), 2);
    let text = format!("{:?}", passwords.warnings());
    assert!(!text.contains("CAN"), "{text}");
    let many = "a b,".repeat(1_000);
    let warnings = parse_proxies(&[PROXY, ("NO_PROXY", &many)]).warnings;
    assert_eq!(warnings.len(), 17);
    assert!(warnings[16].contains("984 more"), "{}", warnings[16]);
    let no_proxy = parse_proxies(&[("NO_PROXY", "http://host")]);
    assert!(no_proxy.warnings().is_empty());
}

#[test]
fn ambiguous_proxy_url_is_a_warning() {
    for (value, parts) in [
        ("http://user:pass@proxy:3128/", &[][..]),
        ("http://user:p@ss@proxy:3128", &["has several `@`"]),
    ] {
        let settings = parse_proxies(&[("HTTPS_PROXY", value)]);
        let warnings = settings.warnings();
        assert_eq!(warnings.len(), parts.len(), "{value:?}: {warnings:?}");
        for (warning, part) in warnings.iter().zip(parts) {
            assert!(warning.contains(part), "{value:?}: {warning}");
        }
    }
}
