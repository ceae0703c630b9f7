//! Decisions while the mappings of the API server are stale.

use std::time::Duration;

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, Precedence, ProtectedIdentities, Rule, RuleSet, Source,
};

use super::*;

const LIMIT: u64 = 180_000;

thread_local! {
    /// Uptime in milliseconds.
    static UPTIME: Cell<u64> = const { Cell::new(0) };
}

fn uptime() -> Duration {
    Duration::from_millis(UPTIME.get())
}

/// Returns rules of `backend` that map the demo user to a username equal to the name of the backend.
fn rules(backend: Backend) -> BackendRules {
    let source = Source {
        backend,
        position: "alice".to_owned(),
    };
    let username = backend.to_string();
    let mapping = Mapping::for_arn(
        source,
        Precedence::ListIndex(0),
        demo::USER_ARN,
        &username,
        Vec::new(),
    );
    let mut rules = BackendRules::new(backend);
    rules.apply(Rule::compile(mapping).unwrap());
    rules
}

impl StsServer {
    fn with_rules(mut self, rules: RuleSet) -> Self {
        UPTIME.set(1);
        let live = LiveRules::new(rules, clock()).with_uptime(uptime);
        live.confirmations()
            .set_max_age(Some(Duration::from_millis(LIMIT)));
        self.authenticator.rules = Arc::new(live);
        self
    }

    fn confirm(&self, backend: Backend) {
        self.authenticator.rules.confirmations().confirm(backend);
    }

    /// Returns the username or the code of the decision, and the source of STS's answer.
    async fn answer(&self, token: &Secret) -> (String, &'static str) {
        let decided = self.authenticator.decide(token, Requester::ApiServer).await;
        let source = decided.source.map_or("", IdentitySource::code);
        let answer = match decided.decision.outcome() {
            Outcome::Granted(user) => user.username.clone(),
            _ => decided.decision.code().to_owned(),
        };
        (answer, source)
    }
}

#[tokio::test]
async fn cache_hit_after_the_limit_is_not_granted_by_stale_rules() {
    use Backend::{ConfigMap, Crd, MountedFile};
    let fixture = AuthenticatorFixture::new();
    for backend in [Crd, ConfigMap] {
        let backends = vec![rules(backend), rules(MountedFile)];
        let server = fixture.server(&json!({ "cacheTTL": "15m" }));
        let server = server.with_rules(RuleSet::new(backends, []));
        server.confirm(backend);
        let token = fixture.token();
        let mapped = backend.to_string();
        for (uptime, expected, source) in [
            (1, &*mapped, "miss"),
            (1 + LIMIT, &mapped, "hit"),
            // No task ran in between: the decision itself checks the clock.
            (2 + LIMIT, "backend_stale", "hit"),
            (2 + 10 * LIMIT, "backend_stale", "hit"),
        ] {
            UPTIME.set(uptime);
            let expected = (expected.to_owned(), source);
            assert_eq!(server.answer(&token).await, expected, "{backend} {uptime}");
        }
        server.confirm(backend);
        assert_eq!(server.answer(&token).await, (mapped.clone(), "hit"));
        // A change during the outage takes effect before the confirmation.
        UPTIME.set(2 + 20 * LIMIT);
        assert_eq!(server.answer(&token).await.0, "backend_stale");
        let live = &server.authenticator.rules;
        live.change(backend, |edit| edit.delete("alice")).unwrap();
        server.confirm(backend);
        assert_eq!(server.answer(&token).await.0, "MountedFile");
    }
}

#[tokio::test]
async fn stale_backend_stops_neither_other_backends_nor_protected_identities() {
    use Backend::{ConfigMap, Crd, DynamicFile, MountedFile};
    let fixture = AuthenticatorFixture::new();
    let mut protected = ProtectedIdentities::default();
    protected.protect(demo::USER_ARN).unwrap();
    let mut account = BackendRules::new(Crd);
    account.apply_account(AccountId::parse(demo::ACCOUNT).unwrap());
    for (case, backends, protected, expected) in [
        (
            "an earlier backend maps the user",
            vec![rules(MountedFile), rules(Crd)],
            ProtectedIdentities::default(),
            "MountedFile",
        ),
        (
            "the stale backend does not map the user",
            vec![BackendRules::new(Crd), rules(DynamicFile)],
            ProtectedIdentities::default(),
            "DynamicFile",
        ),
        (
            "the file protects the user",
            vec![rules(Crd), rules(ConfigMap), rules(MountedFile)],
            protected,
            "MountedFile",
        ),
        (
            "the stale backend maps the account",
            vec![account, rules(MountedFile)],
            ProtectedIdentities::default(),
            "backend_stale",
        ),
        (
            "no backend maps the user",
            vec![BackendRules::new(Crd), BackendRules::new(MountedFile)],
            ProtectedIdentities::default(),
            "not_mapped",
        ),
    ] {
        let server = fixture.server(&json!({}));
        let server = server.with_rules(RuleSet::new(backends, []).with_protected(protected));
        for backend in Backend::ALL {
            server.confirm(backend);
        }
        UPTIME.set(2 + 2 * LIMIT);
        assert_eq!(server.answer(&fixture.token()).await.0, expected, "{case}");
    }
}
