//! The target for replies of STS.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::{Decision, Outcome};
use ack_ram_core::login::{AwaitingSts, Step, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source, WildcardMode,
};
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_core::sts::StsReply;

use crate::{NOW, check_decision_output};

/// Parses the input as an HTTP status, a line feed and a body.
pub fn sts_reply(input: &[u8]) {
    let Some(at) = input.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (status, body) = (&input[..at], &input[at + 1..]);
    let Some(status) = std::str::from_utf8(status)
        .ok()
        .and_then(|text| text.parse().ok())
    else {
        return;
    };
    let awaiting = awaiting_sts();
    let fingerprint = awaiting.fingerprint();
    let verified = match awaiting.resume(StsReply::Response { status, body }, NOW) {
        Ok(verified) => verified,
        Err(error) => return check_decision_output(&Decision::from_sts_error(fingerprint, error)),
    };
    assert_eq!(status, 200);
    let identity = verified.identity();
    assert_eq!(
        Arn::parse(&identity.arn.to_string()).as_ref(),
        Ok(&identity.arn)
    );
    assert_eq!(identity.access_key_id.as_str(), "LTAI5tFakeAccessKeyId001");
    let decision = verified.decide(&rules_for_account(identity.account_id().as_str()));
    check_decision_output(&decision);
    if let Outcome::Granted(user) = decision.outcome() {
        assert!(user.username.starts_with("user:"));
        assert!(!user.uid.contains(char::is_control));
    } else {
        panic!("{decision:?}");
    }
}

fn awaiting_sts() -> AwaitingSts {
    let cluster = ClusterId::parse("c1").unwrap();
    let key = AccessKey {
        id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
        secret: Secret::new("secret"),
        security_token: None,
    };
    let token = sign_token_v2(&key, &cluster, "fuzz", NOW).unwrap();
    match begin(token.expose(), &TokenPolicy::new(cluster), NOW) {
        Step::CallSts(awaiting) => awaiting,
        Step::Decided(decision) => panic!("{decision:?}"),
    }
}

/// Returns rules with one pattern, which matches every identity of `account`.
fn rules_for_account(account: &str) -> RuleSet {
    let source = Source {
        backend: Backend::Crd,
        position: "account".to_owned(),
    };
    let username = "user:{{SessionNameRaw}}{{UserName}}{{RoleName}}{{AccountID}}";
    let mapping = Mapping {
        wildcards: WildcardMode::Enabled,
        ..Mapping::for_arn(
            source,
            Precedence::ListIndex(0),
            &format!("acs:ram::{account}:**"),
            username,
            Vec::new(),
        )
    };
    let mut rules = BackendRules::new(Backend::Crd);
    rules.apply(Rule::compile(mapping).unwrap());
    RuleSet::new(vec![rules], [])
}
