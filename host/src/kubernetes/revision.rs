//! Whether the API server has seen what a watch has seen.
//!
//! After etcd was restored from a backup, its revisions begin anew below those that a watch has read. kube-apiserver
//! takes a watch from a revision that is yet to come, and keeps all that happens until then to itself: whoever was
//! deleted in the backup's time, or mapped since, would stay so. A list from that revision on it refuses.

use form_urlencoded::Serializer;
use hyper::{Request, Uri};
use kube::Client;
use kube::core::Status;
use serde::de::IgnoredAny;

/// What kube-apiserver calls it (apimachinery, `CauseTypeResourceVersionTooLarge`).
const TOO_LARGE: &str = "ResourceVersionTooLarge";
/// No object has this name: the list is empty.
const NOBODY: &str = "metadata.name=-";

/// Asks the API server whether it knows all that `watch` has seen, if that is a watch.
///
/// # Errors
/// Why the watch must not begin: as of one whose beginning is no longer known; or because that could not be told.
pub(super) async fn check(client: &Client, watch: &Uri) -> kube::Result<()> {
    let Some(list) = list(watch) else {
        return Ok(());
    };
    let list = Request::get(list).body(Vec::new());
    let list = list.map_err(|error| kube::Error::Service(error.into()))?;
    match client.request::<IgnoredAny>(list).await {
        Err(kube::Error::Api(status)) if is_too_large(&status) => {
            let why = "the revision that the watch has seen is yet to come: etcd was restored from a backup";
            Err(gone(why))
        }
        answer => answer.map(drop),
    }
}

fn is_too_large(status: &Status) -> bool {
    let details = status.details.iter();
    let mut causes = details.flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == TOO_LARGE)
}

/// Returns what the API server says of a watch whose beginning it no longer knows, for the reason `why`: everything is
/// listed again.
pub(super) fn gone(why: &str) -> kube::Error {
    kube::Error::Api(Status::failure(why, "Expired").with_code(410).boxed())
}

/// Returns whether `uri` asks for a watch.
pub(super) fn is_watch(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .any(|(key, value)| key == "watch" && matches!(&*value, "true" | "1"))
}

/// A list of nothing from where `watch` begins; `None` if that is no watch of what has happened since a revision.
fn list(watch: &Uri) -> Option<String> {
    if !is_watch(watch) {
        return None;
    }
    let query: Vec<_> = form_urlencoded::parse(watch.query()?.as_bytes()).collect();
    let value = |name: &str| {
        let pair = query.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| &**value)
    };
    let since = value("resourceVersion").filter(|version| !matches!(*version, "" | "0"))?;
    let query = Serializer::new(String::new())
        // Who may read one object alone may list no other.
        .append_pair("fieldSelector", value("fieldSelector").unwrap_or(NOBODY))
        .append_pair("resourceVersion", since)
        .append_pair("resourceVersionMatch", "NotOlderThan")
        .finish();
    Some(format!("{}?{query}", watch.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_after_revision_requests_no_objects() {
        for (watch, expected) in [
            (
                "/apis/x/v1/things?&watch=true&timeoutSeconds=60&allowWatchBookmarks=true&resourceVersion=7",
                Some(
                    "/apis/x/v1/things?fieldSelector=metadata.name%3D-&resourceVersion=7&resourceVersionMatch=NotOlderThan",
                ),
            ),
            (
                "/api/v1/namespaces/n/configmaps?&watch=true&fieldSelector=metadata.name%3Da&resourceVersion=7",
                Some(
                    "/api/v1/namespaces/n/configmaps?fieldSelector=metadata.name%3Da&resourceVersion=7&resourceVersionMatch=NotOlderThan",
                ),
            ),
            ("/apis/x/v1/things?&watch=true&resourceVersion=0", None),
            ("/apis/x/v1/things?&limit=500&resourceVersion=7", None),
            ("/apis/x/v1/things?&limit=500", None),
            ("/apis/x/v1/things", None),
        ] {
            let list = list(&watch.parse().unwrap());
            assert_eq!(list.as_deref(), expected, "{watch}");
        }
    }
}
