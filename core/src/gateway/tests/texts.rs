use super::*;

#[test]
fn refusal_kind_determines_status_code_and_title() {
    for (kind, status, grpc, code, title) in [
        (RefusalKind::NoToken, 401, 16, "no_token", "Unauthorized"),
        (
            RefusalKind::InvalidToken,
            401,
            16,
            "invalid_token",
            "Unauthorized",
        ),
        (RefusalKind::Forbidden, 403, 7, "forbidden", "Forbidden"),
        (
            RefusalKind::Unavailable,
            503,
            14,
            "unavailable",
            "Service Unavailable",
        ),
    ] {
        assert_eq!((kind.status(), kind.grpc_status()), (status, grpc));
        assert_eq!(kind.code(), code);
        let header = TokenHeader::default();
        let refusal = match kind {
            RefusalKind::NoToken => Refusal::from_bearer_error(BearerError::Missing, &header),
            RefusalKind::InvalidToken => Refusal::from_bearer_error(BearerError::Multiple, &header),
            RefusalKind::Forbidden => Refusal::stray_token(&header),
            RefusalKind::Unavailable => Refusal::unavailable("busy"),
        };
        assert_eq!(refusal.kind(), kind);
        let problem: serde_json::Value = serde_json::from_slice(&refusal.problem()).unwrap();
        assert_eq!(problem["title"], title);
        assert_eq!(problem["type"], "about:blank");
    }
}

#[test]
fn header_error_text_states_correction() {
    for (text, part) in [
        (BearerError::Missing.to_string(), "there is no token"),
        (
            BearerError::Multiple.to_string(),
            "more than one token; send exactly one",
        ),
        (
            BearerError::Malformed.to_string(),
            "the token is not valid UTF-8",
        ),
        (
            InvalidTokenHeader.to_string(),
            "use `authorization` or a dedicated header",
        ),
        (
            IdentityHeaders::new("x-\u{7}", "x-g", "x-i", "x-e-")
                .unwrap_err()
                .to_string(),
            "invalid identity header `x-\\u{7}`",
        ),
        (
            HeaderValueError::OuterSpace.to_string(),
            "starts or ends with a space",
        ),
        (
            HeaderValueError::InvalidCharacter.to_string(),
            "a character that a header cannot carry",
        ),
        (
            HeaderValueError::CommaInGroup.to_string(),
            "contains a comma",
        ),
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn refusal_kind_determines_challenge_and_headers() {
    let header = TokenHeader::default();
    let names = |refusal: &Refusal| -> Vec<&str> {
        refusal.headers().iter().map(|(name, _)| *name).collect()
    };
    let unavailable = Refusal::unavailable("a \"b\" \\ \u{e9}");
    assert_eq!(unavailable.challenge(), None);
    assert_eq!(
        names(&unavailable),
        ["content-type", "cache-control", "retry-after"]
    );
    assert_eq!(
        unavailable.retry_after_seconds(),
        Refusal::RETRY_AFTER_SECONDS
    );
    assert_eq!(unavailable.message(), unavailable.detail());
    let missing = Refusal::from_bearer_error(BearerError::Missing, &header);
    assert_eq!(missing.challenge().as_deref(), Some("Bearer"));
    assert_eq!(
        names(&missing),
        ["content-type", "cache-control", "www-authenticate"]
    );
    let quoted = Refusal::forbidden("a \"b\" \\ \u{e9}", None);
    let expected = r#"Bearer error="insufficient_scope", error_description="a 'b' ' ?""#;
    assert_eq!(quoted.challenge().as_deref(), Some(expected));
}
