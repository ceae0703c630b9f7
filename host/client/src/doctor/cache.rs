//! The folder of the cache and its entries.

use std::fs;
use std::path::PathBuf;

use ack_ram_core::time::UnixTime;

use crate::cache::{CacheFolder, EntryState};
use crate::finding::{Findings, Topic};
use crate::origin::{Origin, Setting};
use crate::platform;

/// Adds findings about the cache. `location` is its folder; `folder` is `None` if the cache is not used.
pub fn examine_cache(
    location: Option<&Setting<PathBuf>>,
    folder: Option<&CacheFolder>,
    now: UnixTime,
    findings: &mut Findings,
) {
    if let Some(location) = location {
        let path = location.value.display();
        let mode = fs::metadata(&location.value).ok();
        let mode = mode.and_then(|metadata| platform::access(&metadata));
        let mode = mode.map_or(String::new(), |access| {
            let owner = if access.is_own {
                "this user"
            } else {
                "another user"
            };
            format!(" (mode {:04o}, owned by {owner})", access.mode)
        });
        let origin = match &location.origin {
            Origin::Default => "the default".to_owned(),
            origin => format!("from {origin}"),
        };
        findings.note(
            Topic::Cache,
            format!("the folder is `{path}`{mode}, {origin}"),
        );
    }
    let Some(folder) = folder else { return };
    let files = match folder.list() {
        Ok(files) => files,
        Err(error) => {
            return findings.advise(
                Topic::Cache,
                format!("the folder cannot be read: {error}"),
                "correct the permissions of the folder, or set `--cache-dir`",
            );
        }
    };
    let states = files
        .iter()
        .map(|file| file.entry.as_ref().map(|entry| entry.state(now)));
    let (mut live, mut ended, mut damaged) = (0_usize, 0_usize, 0_usize);
    for state in states {
        match state {
            Some(EntryState::Fresh | EntryState::Due) => live += 1,
            Some(EntryState::Unusable) => ended += 1,
            None => damaged += 1,
        }
    }
    let number = live + ended;
    let noun = if number == 1 { "entry" } else { "entries" };
    findings.note(
        Topic::Cache,
        format!("the cache has {number} {noun}, of which {live} can be used"),
    );
    for refusal in folder.refusals(now).unwrap_or_default() {
        findings.note(
            Topic::Cache,
            format!(
                "a refusal is remembered, which logins repeat for up to five seconds without a call: {}",
                refusal.cause()
            ),
        );
    }
    if damaged > 0 {
        findings.advise(
            Topic::Cache,
            format!("{damaged} more cannot be read, or can be read or changed by other users, and will be replaced"),
            "run `ack-ram-authenticator cache clear --expired`",
        );
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::cache::{CacheKey, PlanCache, RememberedRefusal};
    use crate::error::{ClientError, Refusal};

    #[test]
    fn remembered_refusal_is_shown_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::open(folder.path()).unwrap();
        let at = UnixTime::from_seconds(1_780_000_000);
        let refusal = ClientError::Refused(Refusal {
            cause: "STS refused AssumeRole".to_owned(),
            remedy: "correct the ARN".to_owned(),
        });
        let refusal = RememberedRefusal::of(&refusal, at).unwrap();
        let key = CacheKey::parse_entry_name(&format!("{}.json", "0".repeat(64))).unwrap();
        PlanCache::new(&cache, key).store_refusal(&refusal).unwrap();
        for (after, is_shown) in [(0, true), (4, true), (5, false)] {
            let mut findings = Findings::default();
            let now = at.plus_seconds(after);
            examine_cache(None, Some(&cache), now, &mut findings);
            let mut texts = findings.list().iter().map(|finding| &finding.text);
            let shown = texts.any(|text| {
                text.starts_with("a refusal is remembered")
                    && text.ends_with("STS refused AssumeRole")
            });
            assert_eq!(shown, is_shown, "{after}");
        }
    }
}
