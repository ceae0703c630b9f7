//! The health port: plain HTTP, `ok` for any path, for the kubelet's probes.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::server::connections::Respond;

/// Says `ok`.
pub(super) struct Health;

impl Respond for Health {
    async fn respond(&self, _: Request<Incoming>) -> Response<Full<Bytes>> {
        Response::new(Full::from("ok"))
    }
}
