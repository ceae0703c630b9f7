//! The limit on the head of a request: method, target and headers.
//!
//! The limits of hyper and h2 are higher, so that a head beyond this limit gets a response with the reason. A head
//! beyond their limits gets a 431 without a body. hyper reports that for HTTP/1, but h2 does not.

use std::fmt;

use hyper::Request;

/// The HTTP status of a request whose head is too large (RFC 6585, 5).
pub(in crate::server) const STATUS: u16 = 431;

/// Maximum number of headers of a request.
const MAX_HEADERS: usize = 200;
/// Maximum number of headers that hyper parses in HTTP/1.
pub(super) const MAX_PARSED_HEADERS: usize = 256;
/// Size by which the limits of hyper and h2 exceed the limit on heads. h2 adds 32 bytes for each header.
pub(in crate::server) const HEAD_MARGIN: usize = 8 * 1024;

/// How a head exceeds a limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeadExcess {
    Bytes { length: usize, limit: usize },
    Headers(usize),
}

impl fmt::Display for HeadExcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { length, limit } => write!(
                f,
                "the URL and the headers have {length} bytes, more than {limit}; send a shorter URL, or fewer or shorter headers (often cookies)"
            ),
            Self::Headers(count) => write!(
                f,
                "the request has {count} headers, more than {MAX_HEADERS}; send fewer"
            ),
        }
    }
}

/// Returns how the head of `request` exceeds `limit` bytes or the maximum number of headers, or `None` if it does not.
pub(super) fn find_excess<B>(request: &Request<B>, limit: usize) -> Option<HeadExcess> {
    let headers = request.headers();
    if headers.len() > MAX_HEADERS {
        return Some(HeadExcess::Headers(headers.len()));
    }
    // Each header counts as a line of HTTP/1.1, with `: ` and the line break.
    let lines = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    let uri = request.uri();
    let target = uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let authority = uri
        .authority()
        .map_or(0, |authority| authority.as_str().len());
    let length = request.method().as_str().len() + authority + target + lines.sum::<usize>();
    (length > limit).then_some(HeadExcess::Bytes { length, limit })
}

/// Returns whether a connection ended with `error` because a head exceeded the limits of hyper.
pub(super) fn exceeds_library_limit(
    error: &(dyn std::error::Error + Send + Sync + 'static),
) -> bool {
    error
        .downcast_ref::<hyper::Error>()
        .is_some_and(hyper::Error::is_parse_too_large)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, headers: &[(&str, usize)]) -> Request<()> {
        let mut request = Request::get(target);
        for (name, length) in headers {
            request = request.header(*name, "x".repeat(*length));
        }
        request.body(()).unwrap()
    }

    #[test]
    fn head_is_method_target_and_headers() {
        for (target, headers, limit, excess) in [
            ("/", &[][..], 4, None),
            ("/", &[], 3, Some(4)),
            ("/ab?c=d", &[], 10, None),
            ("/ab?c=d", &[], 9, Some(10)),
            ("https://h/", &[], 4, Some(5)),
            ("/", &[("a", 10)], 19, None),
            ("/", &[("a", 10)], 18, Some(19)),
            ("/", &[("a", 10), ("a", 10)], 33, Some(34)),
        ] {
            let excess = excess.map(|length| HeadExcess::Bytes { length, limit });
            assert_eq!(
                find_excess(&request(target, headers), limit),
                excess,
                "{target}"
            );
        }
    }

    #[test]
    fn number_of_headers_is_limited() {
        let headers = vec![("a", 0); MAX_HEADERS];
        assert_eq!(find_excess(&request("/", &headers), 1 << 20), None);
        let headers = vec![("a", 0); MAX_HEADERS + 1];
        assert_eq!(
            find_excess(&request("/", &headers), 1 << 20),
            Some(HeadExcess::Headers(MAX_HEADERS + 1))
        );
    }

    /// The bytes that h2 adds to each header fit into the margin.
    #[test]
    fn limits_of_the_libraries_are_wider() {
        const { assert!(MAX_HEADERS < MAX_PARSED_HEADERS) };
        const { assert!(MAX_HEADERS * 32 + 5 * 48 < HEAD_MARGIN) };
    }
}
