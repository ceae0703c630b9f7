//! The parts of a request that are relevant to a login.

use ack_ram_core::gateway::is_preflight;

/// The headers of a request as Envoy provides them: with names in lower case, including pseudo-headers.
#[derive(Clone, Copy, Debug)]
pub struct RequestHeaders<'a>(pub &'a [(String, Vec<u8>)]);

impl<'a> RequestHeaders<'a> {
    /// Returns all values of the header `name`, which must be in lower case.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| value.as_slice())
    }

    /// Returns the names of all headers.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the path without the query. The result is empty if the path is not valid UTF-8.
    #[must_use]
    pub fn path(self) -> &'a str {
        let target = self.single_text(":path").unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }

    /// Returns whether the request is a gRPC call, which gets errors in trailers. The condition must be the same as
    /// Envoy's: Envoy would send a gRPC error as a plain 200 response to any other request.
    #[must_use]
    pub fn is_grpc(self) -> bool {
        self.single_text("content-type")
            .and_then(|kind| kind.strip_prefix("application/grpc"))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
    }

    /// Returns whether the request is a CORS preflight.
    #[must_use]
    pub fn is_preflight(self) -> bool {
        let headers = self.0.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_slice()));
        is_preflight(self.single_text(":method"), headers)
    }

    /// Returns the names in `Connection`: hop-by-hop headers (RFC 9110, 7.6.1). Envoy removes these headers, except
    /// from an upgrade request, where the next server removes them.
    pub fn hop_by_hop_names(self) -> impl Iterator<Item = &'a str> {
        self.values("connection")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .filter_map(|name| std::str::from_utf8(name).ok())
            .map(str::trim)
    }

    /// Returns the value of the header `name`, if there is exactly one value and it is valid UTF-8.
    fn single_text(self, name: &str) -> Option<&'a str> {
        let mut values = self.values(name);
        let value = values.next()?;
        match values.next() {
            None => std::str::from_utf8(value).ok(),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> Vec<(String, Vec<u8>)> {
        lines
            .iter()
            .map(|line| line.split_once("= ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn grpc_and_preflight_requests_are_recognized() {
        for (lines, is_grpc, is_preflight) in [
            (&["content-type= application/grpc"][..], true, false),
            (&["content-type= application/grpc+proto"], true, false),
            (&["content-type= application/grpc;x=y"], false, false),
            (&["content-type= application/grpc-web"], false, false),
            (&["content-type= application/json"], false, false),
            (
                &[
                    ":method= OPTIONS",
                    "origin= https://a",
                    "access-control-request-method= PUT",
                ],
                false,
                true,
            ),
            (
                &[
                    ":method= OPTIONS",
                    "origin= https://a",
                    "access-control-request-method= PUT",
                    "x-http-method-override= DELETE",
                ],
                false,
                false,
            ),
            (
                &[
                    ":method= OPTIONS",
                    "origin= https://a",
                    "access-control-request-method= PUT",
                    "x_method-override= DELETE",
                ],
                false,
                false,
            ),
            (&[":method= OPTIONS", "origin= https://a"], false, false),
            (&[":method= OPTIONS"], false, false),
            (
                &[
                    ":method= GET",
                    "origin= https://a",
                    "access-control-request-method= PUT",
                ],
                false,
                false,
            ),
        ] {
            let headers = headers(lines);
            let request_headers = RequestHeaders(&headers);
            assert_eq!(
                (request_headers.is_grpc(), request_headers.is_preflight()),
                (is_grpc, is_preflight),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn path_excludes_query() {
        for (target, path) in [
            ("/a?b=/c", "/a"),
            ("/a", "/a"),
            ("/", "/"),
            ("?x", ""),
            ("", ""),
        ] {
            let headers = [(":path".to_owned(), target.as_bytes().to_vec())];
            assert_eq!(RequestHeaders(&headers).path(), path);
        }
    }
}
