//! CORS preflight requests (Fetch standard, "CORS-preflight request"), which browsers send without a token.

/// Returns whether a request is a CORS preflight request: `OPTIONS` with exactly one `Origin` header and exactly one
/// `Access-Control-Request-Method` header, and without a header that overrides the method.
///
/// `method` must be the method of the client's request, not a value of a header that the client controls. The names of
/// `headers` must be in lower case.
#[must_use]
pub fn is_preflight<'a>(
    method: Option<&str>,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> bool {
    let (mut origins, mut methods) = (0_usize, 0_usize);
    for (name, value) in headers {
        let count = match name {
            "origin" => &mut origins,
            "access-control-request-method" => &mut methods,
            other if is_method_override(other) => return false,
            _ => continue,
        };
        if std::str::from_utf8(value).is_err() {
            return false;
        }
        *count = count.saturating_add(1);
    }
    method == Some("OPTIONS") && origins == 1 && methods == 1
}

/// Returns whether services treat the header `name` as an override of the method of the request.
fn is_method_override(name: &str) -> bool {
    let mut words = name.split(|sign: char| !sign.is_ascii_alphanumeric());
    let words = [(); 5].map(|()| words.next());
    matches!(
        words,
        [Some("x"), Some("http"), Some("method"), None, None]
            | [
                Some("x"),
                Some("http"),
                Some("method"),
                Some("override"),
                None
            ]
            | [Some("x"), Some("method"), Some("override"), None, None]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: (&str, &[u8]) = ("origin", b"https://a");
    const METHOD: (&str, &[u8]) = ("access-control-request-method", b"PUT");

    #[test]
    fn preflight_requires_options_two_headers_and_no_method_override() {
        for (method, headers, expected) in [
            ("OPTIONS", &[ORIGIN, METHOD][..], true),
            ("OPTIONS", &[METHOD, ("accept", b"*/*"), ORIGIN], true),
            ("GET", &[ORIGIN, METHOD], false),
            ("options", &[ORIGIN, METHOD], false),
            ("OPTIONS", &[ORIGIN], false),
            ("OPTIONS", &[METHOD], false),
            ("OPTIONS", &[ORIGIN, ORIGIN, METHOD], false),
            ("OPTIONS", &[ORIGIN, METHOD, METHOD], false),
            ("OPTIONS", &[("origin", b"\xff"), METHOD], false),
            (
                "OPTIONS",
                &[ORIGIN, METHOD, ("x-http-method", b"GET")],
                false,
            ),
            (
                "OPTIONS",
                &[ORIGIN, METHOD, ("x-http-method-override", b"DELETE")],
                false,
            ),
            (
                "OPTIONS",
                &[ORIGIN, METHOD, ("x_http.method-override", b"DELETE")],
                false,
            ),
            (
                "OPTIONS",
                &[("x_method-override", b"DELETE"), ORIGIN, METHOD],
                false,
            ),
            (
                "OPTIONS",
                &[ORIGIN, METHOD, ("x-http-methods", b""), ("x-method", b"")],
                true,
            ),
        ] {
            let is = is_preflight(Some(method), headers.iter().copied());
            assert_eq!(is, expected, "{method} {headers:?}");
        }
        assert!(!is_preflight(None, [ORIGIN, METHOD]));
    }
}
