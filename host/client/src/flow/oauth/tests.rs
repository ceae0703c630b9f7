use super::*;
use crate::flow::Plan;
use crate::flow::script::{
    HalfKeys, assert_half_keys_are_refused, assert_unusable_results_give_no_key, failed, moment,
    plan_of_profiles, response, run, too_large,
};

const REFRESH: &str = r#","oauth_refresh_token":"RefreshCANARY""#;
const TOKENS: &str = r#"{"access_token":"NewAccessCANARY","refresh_token":"NewRefreshCANARY+","expires_in":3600,"token_type":"Bearer"}"#;
const KEY: &str = r#"{"requestId":"r","accessKeyId":"STS.FakeAccessKeyId002","accessKeySecret":"FakeSecretCANARY2","securityToken":"FakeTokenCANARY2","expiration":"2026-01-02T04:04:05Z"}"#;
const KEY_TEXT: &str =
    "STS.FakeAccessKeyId002 FakeSecretCANARY2 FakeTokenCANARY2 2026-01-02T04:04:05Z -";
const SAVE_TOKENS: &str = "Save oauth_refresh_token oauth_access_token oauth_access_token_expire";
const SAVE_KEY: &str = "Save access_key_id access_key_secret sts_token sts_expiration";

fn plan_at(site: &str, members: &str) -> Plan {
    plan_of_profiles(&format!(
        r#"{{"name":"dev","mode":"OAuth","oauth_site_type":"{site}"{members}}}"#
    ))
}

fn plan(members: &str) -> Plan {
    plan_at("CN", members)
}

fn access(seconds: i64) -> String {
    let end = moment().now.seconds() + seconds;
    format!(r#","oauth_access_token":"AccessCANARY","oauth_access_token_expire":{end}"#)
}

fn session(seconds: i64) -> String {
    let end = moment().now.seconds() + seconds;
    format!(
        r#","access_key_id":"STS.FakeAccessKeyId003","access_key_secret":"StoredCANARY","sts_token":"StoredTokenCANARY","sts_expiration":{end}"#
    )
}

#[test]
fn what_still_lives_decides_about_the_calls() {
    let stored = "STS.FakeAccessKeyId003 StoredCANARY StoredTokenCANARY";
    let refresh = vec!["OAuthRefresh", SAVE_TOKENS, "OAuthExchange", SAVE_KEY];
    let exchange = vec!["OAuthExchange", SAVE_KEY];
    for (members, expected, steps) in [
        (session(61), stored, vec![]),
        (session(60) + &access(61), KEY_TEXT, exchange.clone()),
        (access(61) + REFRESH, KEY_TEXT, exchange),
        (access(60) + REFRESH, KEY_TEXT, refresh.clone()),
        (
            session(-1) + &access(-1) + REFRESH,
            KEY_TEXT,
            refresh.clone(),
        ),
        (REFRESH.to_owned(), KEY_TEXT, refresh),
        (
            session(60),
            "sign in: the OAuth session of the profile `dev` in `/home/me/.aliyun/config.json` has no tokens; sign in again: run `aliyun configure --mode OAuth --oauth-site-type CN --profile dev`",
            vec![],
        ),
        (
            access(0),
            "sign in: the OAuth session of the profile `dev` in `/home/me/.aliyun/config.json` ended at 2026-01-02T03:04:05Z;",
            vec![],
        ),
    ] {
        let results = match steps.len() {
            4 => vec![
                response(200, TOKENS),
                Outcome::Done,
                response(200, KEY),
                Outcome::Done,
            ],
            _ => vec![response(200, KEY), Outcome::Done],
        };
        let script = run(plan(&members), results);
        assert!(script.text().contains(expected), "{}", script.text());
        assert_eq!(script.steps(), steps, "{members}");
    }
}

#[test]
fn refused_access_token_is_renewed_once() {
    let refused = || response(401, r#"{"error":"invalid_token"}"#);
    let start = ["OAuthExchange", "OAuthRefresh"];
    let whole = [&start[..], &[SAVE_TOKENS, "OAuthExchange"]].concat();
    let sign_in = "was refused with `invalid_token`; sign in again";
    for (replies, expected, steps) in [
        (
            vec![
                refused(),
                response(200, TOKENS),
                Outcome::Done,
                response(200, KEY),
                Outcome::Done,
            ],
            KEY_TEXT,
            [&whole[..], &[SAVE_KEY]].concat(),
        ),
        (
            vec![
                response(401, ""),
                response(200, TOKENS),
                Outcome::Done,
                refused(),
            ],
            sign_in,
            whole,
        ),
        (vec![refused(), refused()], sign_in, start.to_vec()),
    ] {
        let script = run(plan(&(access(100) + REFRESH)), replies);
        assert!(script.text().contains(expected), "{}", script.text());
        assert_eq!(script.steps(), steps);
    }
    // New tokens are not refused because of the clock.
    let results = [response(200, TOKENS), Outcome::Done, refused()];
    let script = run(plan(REFRESH), results);
    assert!(script.text().contains(sign_in), "{}", script.text());
    // Another refusal is not about the access token.
    let script = run(
        plan(&(access(100) + REFRESH)),
        [response(403, r#"{"error":"access_denied"}"#)],
    );
    assert!(
        script.text().contains("`access_denied`"),
        "{}",
        script.text()
    );
}

#[test]
fn requests_and_stored_members_are_those_of_the_cli() {
    for (site, base, client) in [
        ("CN", "https://oauth.aliyun.com", "4038181954557748008"),
        (
            "INTL",
            "https://oauth.alibabacloud.com",
            "4103531455503354461",
        ),
    ] {
        let results = [
            response(200, TOKENS),
            Outcome::Done,
            response(200, KEY),
            Outcome::Done,
        ];
        let script = run(plan_at(site, &(access(-1) + REFRESH)), results);
        assert_eq!(
            script.request(0),
            format!(
                "POST {base}/v1/token\ncontent-type: application/x-www-form-urlencoded\naccept: application/json\nclient_id={client}&grant_type=refresh_token&refresh_token=RefreshCANARY"
            )
        );
        // The new refresh token is written before the access token is used.
        assert_eq!(
            script.saved(1),
            "oauth_refresh_token=RefreshCANARY oauth_refresh_token=NewRefreshCANARY+ oauth_access_token=NewAccessCANARY oauth_access_token_expire=1767326645"
        );
        assert_eq!(
            script.request(2),
            format!(
                "POST {base}/v1/exchange\nauthorization: Bearer NewAccessCANARY\ncontent-type: application/json\naccept: application/json\n"
            )
        );
        assert_eq!(
            script.saved(3),
            "oauth_access_token=NewAccessCANARY access_key_id=STS.FakeAccessKeyId002 access_key_secret=FakeSecretCANARY2 sts_token=FakeTokenCANARY2 sts_expiration=1767326645"
        );
        assert_eq!(script.text(), KEY_TEXT);
    }
    let script = run(plan(&access(100)), [response(200, KEY), Outcome::Done]);
    assert!(script.request(0).contains("Bearer AccessCANARY\n"));
    assert!(
        script
            .saved(1)
            .starts_with("oauth_access_token=AccessCANARY ")
    );
}

#[test]
fn new_refresh_token_is_stored_even_if_the_rest_is_unusable() {
    for (body, expected) in [
        (
            r#"{"refresh_token":"NewRefreshCANARY"}"#,
            "`access_token` is missing",
        ),
        (
            r#"{"refresh_token":"NewRefreshCANARY","access_token":["CANARY"],"expires_in":1}"#,
            "`access_token` is missing",
        ),
        (
            r#"{"refresh_token":"NewRefreshCANARY","access_token":"CANARY\n","expires_in":1}"#,
            "`access_token` ends with a line break",
        ),
        (
            r#"{"refresh_token":"NewRefreshCANARY","access_token":"CANARY"}"#,
            "`expires_in` is not a number of seconds",
        ),
        (
            r#"{"refresh_token":"NewRefreshCANARY","access_token":"CANARY","expires_in":"CANARY"}"#,
            "`expires_in` is not a number of seconds",
        ),
        (
            r#"{"refresh_token":"NewRefreshCANARY","access_token":"CANARY","expires_in":-1}"#,
            "`expires_in` is not a number of seconds",
        ),
    ] {
        let script = run(plan(REFRESH), [response(200, body), Outcome::Done]);
        let expected = format!(
            "unavailable: the OAuth service https://oauth.aliyun.com returned a malformed reply: {expected};"
        );
        assert!(script.text().contains(&expected), "{}", script.text());
        assert_eq!(
            script.saved(1),
            "oauth_refresh_token=RefreshCANARY oauth_refresh_token=NewRefreshCANARY"
        );
        assert_eq!(script.effects.len(), 2);
    }
    for (body, expected) in [
        ("{}", "`refresh_token` is missing"),
        (
            r#"{"access_token":"CANARY","expires_in":1}"#,
            "`refresh_token` is missing",
        ),
        (
            r#"{"refresh_token":"","access_token":"CANARY","expires_in":1}"#,
            "`refresh_token` is missing",
        ),
        (
            r#"{"refresh_token":"CANARY CANARY","access_token":"CANARY","expires_in":1}"#,
            "`refresh_token` contains white space",
        ),
        (
            r#"{"refresh_token":"CANARY","refresh_token":"CANARY2"}"#,
            "duplicate key `refresh_token`",
        ),
        ("<html>CANARY", "not valid JSON"),
    ] {
        let script = run(plan(REFRESH), [response(200, body)]);
        assert!(script.text().contains(expected), "{}", script.text());
        assert_eq!(script.steps(), ["OAuthRefresh"]);
    }
}

#[test]
fn access_token_without_end_is_used_once() {
    let tokens = TOKENS.replace("3600", "18446744073709551615");
    let script = run(plan(REFRESH), [response(200, tokens), Outcome::Done]);
    assert_eq!(script.steps().last().unwrap(), "OAuthExchange");
    let tokens = TOKENS.replace("3600", "0");
    let script = run(plan(REFRESH), [response(200, tokens), Outcome::Done]);
    assert_eq!(script.steps().last().unwrap(), "OAuthExchange");
}

#[test]
fn refusal_and_failure_have_their_remedies() {
    let session = "the OAuth session of the profile `dev` in `/home/me/.aliyun/config.json`";
    let command =
        "sign in again: run `aliyun configure --mode OAuth --oauth-site-type CN --profile dev`";
    let service = "the OAuth service https://oauth.aliyun.com";
    for (members, during) in [
        (
            REFRESH.to_owned(),
            "during the renewal of the OAuth session",
        ),
        (
            access(100),
            "during the request for the key of the OAuth session",
        ),
    ] {
        for (reply, expected) in [
            (
                response(
                    400,
                    r#"{"error":"invalid_grant","error_description":"CANARY"}"#,
                ),
                format!("sign in: {session} was refused with `invalid_grant`; {command}"),
            ),
            (
                response(403, r#"{"error":"access_denied"}"#),
                format!("sign in: {session} was refused with `access_denied`; {command}"),
            ),
            (
                response(401, "CANARY"),
                format!("sign in: {session} was refused with HTTP status 401; {command}"),
            ),
            (
                response(403, "<html>CANARY"),
                format!(
                    "unavailable: {service} returned HTTP status 403 {during}; try again; check the network, and the proxy in `HTTPS_PROXY`"
                ),
            ),
            (
                response(404, ""),
                format!("unavailable: {service} returned HTTP status 404 {during};"),
            ),
            (
                response(302, ""),
                format!("unavailable: {service} returned HTTP status 302 {during};"),
            ),
            (
                response(503, r#"{"error":"x"}"#),
                format!("unavailable: {service} returned HTTP status 503 {during};"),
            ),
            (
                response(429, ""),
                format!("unavailable: {service} throttles requests {during};"),
            ),
            (
                response(400, r#"{"error":"Throttling"}"#),
                format!("unavailable: {service} throttles requests {during};"),
            ),
            (
                failed("the time limit passed", true),
                format!("unavailable: {service} did not answer: the time limit passed {during};"),
            ),
            (
                too_large(),
                format!("unavailable: {service} returned a malformed reply: it is too large;"),
            ),
        ] {
            let script = run(plan(&members), [reply]);
            assert!(script.text().contains(&expected), "{}", script.text());
            // A refresh token that may be used up is not sent again.
            assert_eq!(script.effects.len(), 1);
        }
    }
}

#[test]
fn half_a_key_is_neither_used_nor_stored() {
    let names = [
        "accessKeyId",
        "accessKeySecret",
        "securityToken",
        "expiration",
    ];
    assert_half_keys_are_refused(names, HalfKeys::Named, |key| {
        run(plan(&access(100)), [response(200, key)])
    });
}

#[test]
fn unusable_result_is_no_key() {
    let steps = || {
        [
            response(200, TOKENS),
            Outcome::Done,
            response(200, KEY),
            Outcome::Done,
        ]
    };
    for length in 0..4 {
        let before = || steps().into_iter().take(length).collect();
        assert_unusable_results_give_no_key(|| plan(REFRESH), before);
        // The service refuses the stored access token first.
        let before = || {
            let refused = std::iter::once(response(401, ""));
            refused.chain(steps()).take(length).collect()
        };
        assert_unusable_results_give_no_key(|| plan(&(access(100) + REFRESH)), before);
    }
    assert!(run(plan(REFRESH), steps()).is_key());
}
