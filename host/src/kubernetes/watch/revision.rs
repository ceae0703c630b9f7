//! Checks before a watch whether the API server has the revision that the watch starts from.
//!
//! After etcd is restored from a backup, its revisions continue from lower numbers than those that a watch has read.
//! kube-apiserver accepts a watch from a future revision, but sends no events until that revision. The server would
//! keep mappings that are not in the backup, and would miss changes after the restore. kube-apiserver refuses a list
//! from a future revision, so a list before the watch detects the restore.

use form_urlencoded::Serializer;
use hyper::{Request, Uri};
use kube::Client;
use kube::core::Status;
use serde::de::IgnoredAny;

/// The cause in kube-apiserver's answer (apimachinery, `CauseTypeResourceVersionTooLarge`).
const TOO_LARGE: &str = "ResourceVersionTooLarge";
/// A field selector that selects no object, so that the list is empty.
const NO_OBJECT: &str = "metadata.name=-";

/// Checks that the API server has the revision that `watch` starts from, if `watch` is the URI of a watch.
///
/// # Errors
/// [`gone`] if the API server does not have the revision, or the error of the check.
pub(super) async fn check(client: &Client, watch: &Uri) -> kube::Result<()> {
    let Some(list) = list(watch) else {
        return Ok(());
    };
    let list = Request::get(list).body(Vec::new());
    let list = list.map_err(|error| kube::Error::Service(error.into()))?;
    match client.request::<IgnoredAny>(list).await {
        Err(kube::Error::Api(status)) if is_too_large(&status) => {
            let why = "the watch starts from a future revision: etcd was restored from a backup";
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

/// Returns the error of the API server for a watch from a revision that it no longer has, with the message `why`. After
/// this error, all objects are listed again.
pub(super) fn gone(why: &str) -> kube::Error {
    kube::Error::Api(Status::failure(why, "Expired").with_code(410).boxed())
}

/// Returns whether `uri` is the URI of a watch.
pub(super) fn is_watch(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .any(|(key, value)| key == "watch" && matches!(&*value, "true" | "1"))
}

/// Returns the URI of an empty list at the revision that `watch` starts from; `None` if `watch` is not a watch from a
/// revision.
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
        // A permission for a single object does not allow listing others, so keep the selector.
        .append_pair("fieldSelector", value("fieldSelector").unwrap_or(NO_OBJECT))
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
