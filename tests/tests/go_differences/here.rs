//! The behavior of this project.

use ack_ram_config::{ConfigFile, ConfigSources, Overrides};
use ack_ram_core::arn::{AccountId, Arn};
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::{Decision, Outcome};
use ack_ram_core::identity::Identity;
use ack_ram_core::login::{AwaitingSts, Step, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::review::{self, ReviewVersion, TokenReview};
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, MatchedEntry, Precedence, Rule, RuleSet, Source, WildcardMode,
};
use ack_ram_core::sts::StsReply;
use ack_ram_transport::proxy::{Encryption, ProxySettings};
use serde_json::{Value, json};

use crate::{CLUSTER_ID, Input, NOW, Sts, Token, client};

pub fn answer(input: &Input) -> Value {
    match input {
        Input::Token(token) => build_sts_request(token),
        Input::Review(body) => reviewed(body),
        Input::Patterns { patterns, arn } => matching_patterns(patterns, arn),
        Input::Mappings {
            mappings,
            arn,
            scrubbed_accounts,
        } => mapped(mappings, arn, scrubbed_accounts),
        Input::Proxy {
            https_proxy,
            no_proxy,
            destination,
        } => proxy(https_proxy, no_proxy, destination.as_deref()),
        Input::File(text) => usernames(text),
        Input::Sts(reply) => describe_sts_failure(reply),
        Input::Client(client) => client::here::answer(client),
        Input::ClientToken(case) => client::here::tokens(case),
    }
}

fn proxy(https_proxy: &str, no_proxy: &str, destination: Option<&str>) -> Value {
    let settings = ProxySettings::from_environment(&|name| match name {
        "HTTPS_PROXY" => Some(https_proxy.to_owned()),
        "NO_PROXY" => Some(no_proxy.to_owned()),
        _ => None,
    });
    let destination = destination.unwrap_or("sts.aliyuncs.com:443");
    let (host, port) = destination.rsplit_once(':').unwrap();
    match settings.proxy_for(Encryption::Tls, host, port.parse().unwrap()) {
        Ok(Some(proxy)) => json!(proxy.to_string()),
        Ok(None) => json!("direct"),
        Err(error) => json!(error.fault.code()),
    }
}

fn usernames(text: &str) -> Value {
    let file = ConfigFile::Text { name: "c", text };
    let config = ack_ram_config::load(&ConfigSources {
        file: Some(file),
        overrides: &Overrides::default(),
        variables: &|_| None,
    });
    match config {
        Ok(config) => {
            let users = config.mappings.mappings.iter();
            json!(
                users
                    .map(|located| &located.value.spec.username)
                    .collect::<Vec<_>>()
            )
        }
        Err(_) => json!("does not start"),
    }
}

fn build_sts_request(token: &Token) -> Value {
    let policy = TokenPolicy {
        accept_v1: token.accept_v1,
        ..TokenPolicy::new(ClusterId::parse(CLUSTER_ID).unwrap())
    };
    let awaiting = match begin(&token.build(), &policy, NOW) {
        Step::Decided(decision) if decision.public_message().is_none() => {
            return json!("not recognized");
        }
        Step::Decided(decision) => return json!(decision.code()),
        Step::CallSts(awaiting) => awaiting,
    };
    let request = awaiting.request();
    let (_, query) = request.path_and_query().expose().split_once('?').unwrap();
    let mut query: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect();
    query.sort();
    let headers: Vec<_> = request.headers().map(|(name, _)| name).collect();
    json!({ "query": query, "headers": headers })
}

fn reviewed(body: &str) -> Value {
    let is_review = TokenReview::parse(body.as_bytes()).is_ok();
    json!(if is_review { 200 } else { 400 })
}

/// Returns the first valid pattern that matches.
fn matching_patterns(patterns: &[String], arn: &str) -> Value {
    let mut rules = BackendRules::new(Backend::Crd);
    for (index, pattern) in patterns.iter().enumerate() {
        let mapping = mapping_at(
            index,
            pattern,
            Backend::Crd,
            WildcardMode::Enabled,
            "u",
            &[],
        );
        if let Ok(rule) = Rule::compile(mapping) {
            rules.apply(rule);
        }
    }
    let rules = RuleSet::new(vec![rules], []);
    let matched = rules.explain(&identity(arn)).0.matched;
    let matching: Vec<&String> = match matched {
        Some(MatchedEntry::Rule(source)) => {
            vec![&patterns[source.position.parse::<usize>().unwrap()]]
        }
        Some(MatchedEntry::Account { .. }) | None => Vec::new(),
    };
    json!(matching)
}

fn mapped(mappings: &[crate::Mapping], arn: &str, scrubbed: &[String]) -> Value {
    let backend = Backend::MountedFile;
    let mut rules = BackendRules::new(backend);
    for (index, mapping) in mappings.iter().enumerate() {
        let crate::Mapping {
            arn,
            username,
            groups,
        } = mapping;
        match Rule::compile(mapping_at(
            index,
            arn,
            backend,
            WildcardMode::Disabled,
            username,
            groups,
        )) {
            Ok(rule) => rules.apply(rule),
            Err(_) => return json!("the mapping is refused"),
        }
    }
    let scrubbed = scrubbed
        .iter()
        .map(|account| AccountId::parse(account).unwrap());
    let rules = RuleSet::new(vec![rules], scrubbed.collect::<Vec<_>>());
    match rules.explain(&identity(arn)).1 {
        Ok(user) => {
            let extra: Vec<_> = user.extra.iter().map(|(key, _)| key).collect();
            json!({ "username": user.username, "groups": user.groups, "uid": user.uid, "extra": extra })
        }
        Err(_) => json!("no user"),
    }
}

fn mapping_at(
    index: usize,
    arn: &str,
    backend: Backend,
    globs: WildcardMode,
    username: &str,
    groups: &[String],
) -> Mapping {
    let source = Source {
        backend,
        position: index.to_string(),
    };
    Mapping {
        wildcards: globs,
        ..Mapping::for_arn(
            source,
            Precedence::ListIndex(index),
            arn,
            username,
            groups.to_vec(),
        )
    }
}

fn identity(arn: &str) -> Identity {
    Identity {
        arn: Arn::parse(arn).unwrap(),
        user_id: "200000000000000001".into(),
        access_key_id: ack_ram_core::access_key::AccessKeyId::parse("LTAI").unwrap(),
    }
}

fn describe_sts_failure(reply: &Sts) -> Value {
    let awaiting = awaiting_sts();
    let fingerprint = awaiting.fingerprint();
    let body = reply.body();
    let (reply, parts) = match reply {
        Sts::Unreachable => (StsReply::Unreachable, vec![]),
        Sts::Error {
            status,
            code,
            message,
            request_id,
        } => (
            StsReply::Response {
                status: *status,
                body: body.as_bytes(),
            },
            vec![
                ("code", code),
                ("message", message),
                ("requestId", request_id),
            ],
        ),
    };
    let error = awaiting.resume(reply, NOW).unwrap_err();
    let decision = Decision::from_sts_error(fingerprint, error);
    assert!(!matches!(decision.outcome(), Outcome::Granted(_)));
    let answer = review::render_decision(ReviewVersion::V1, &decision);
    let text = String::from_utf8(answer.body).unwrap();
    let forwarded: Vec<_> = parts
        .into_iter()
        .filter(|(_, part)| text.contains(&**part))
        .map(|(what, _)| what)
        .collect();
    json!({ "status": answer.status, "forwarded": forwarded })
}

fn awaiting_sts() -> AwaitingSts {
    let policy = TokenPolicy::new(ClusterId::parse(CLUSTER_ID).unwrap());
    match begin(&Token::default().build(), &policy, NOW) {
        Step::CallSts(awaiting) => awaiting,
        Step::Decided(decision) => panic!("{decision:?}"),
    }
}
