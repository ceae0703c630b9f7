//! Requests are answered before their bodies arrive.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use ack_ram_tests::webhook::trusting;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use hyper::{Request, Version};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use crate::fixture::{LIMIT, bearer_of_alice, start};

#[tokio::test]
async fn request_is_answered_before_its_body_in_both_http_versions() {
    let fixture = start(&json!({ "enabled": true }));
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let tls = trusting(&fixture.ca_file()).unwrap();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only();
        let connector = match version {
            Version::HTTP_2 => connector.enable_http2().build(),
            _ => connector.enable_http1().build(),
        };
        let client = Client::builder(TokioExecutor::new()).build::<_, EndlessBody>(connector);
        for (authorization, status) in [
            (bearer_of_alice(&fixture), 200),
            ("Bearer x".to_owned(), 401),
            (bearer_of_alice(&fixture), 200),
        ] {
            for length in [None, Some(0), Some(100_000), Some(4_000_000_000_u64)] {
                let mut request =
                    Request::post(format!("https://localhost:{}/ext-authz/a", fixture.port))
                        .header("authorization", &authorization);
                if let Some(length) = length {
                    request = request.header("content-length", length);
                }
                let body = EndlessBody {
                    has_begun: false,
                    is_empty: length == Some(0),
                };
                let response = client.request(request.body(body).unwrap());
                let reply = tokio::time::timeout(LIMIT, response)
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(
                    (reply.version(), reply.status().as_u16()),
                    (version, status),
                    "{length:?}"
                );
                let groups = reply.headers().get_all("x-remote-group").iter().count();
                assert_eq!(groups, if status == 200 { 2 } else { 0 });
                reply.into_body().collect().await.unwrap();
            }
        }
    }
}

/// A body that starts and never ends.
struct EndlessBody {
    has_begun: bool,
    is_empty: bool,
}

impl Body for EndlessBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_empty {
            return Poll::Ready(None);
        }
        if self.has_begun {
            return Poll::Pending;
        }
        self.has_begun = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16_384])))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty
    }
}
