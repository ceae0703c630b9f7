use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// A watched file that is polled at each [`POLL_INTERVAL`] of a simulated time.
struct WatchedFileFixture {
    folder: TempDir,
    file: WatchedFile,
    now: Instant,
}

impl WatchedFileFixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = WatchedFile::new(folder.path().join("f"), PATIENCE);
        let now = Instant::now();
        Self { folder, file, now }
    }

    fn with_content(text: &str) -> Self {
        let mut fixture = Self::new();
        fs::write(fixture.path("f"), text).unwrap();
        assert_eq!(fixture.read_now(fixture.now), Some(text.to_owned()));
        fixture
    }

    fn read_now(&mut self, now: Instant) -> Option<String> {
        Some(outcome(self.file.read_now(now)))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the event of each of the next `polls`.
    fn poll(&mut self, polls: usize) -> Vec<Option<String>> {
        (0..polls)
            .map(|_| {
                self.now += POLL_INTERVAL;
                self.file.poll(self.now).map(outcome)
            })
            .collect()
    }

    /// Returns the event of the next `polls`, of which at most one has an event.
    fn poll_for_one_event(&mut self, polls: usize) -> Option<String> {
        let events: Vec<String> = self.poll(polls).into_iter().flatten().collect();
        assert!(events.len() <= 1, "{events:?}");
        events.into_iter().next()
    }
}

fn outcome(event: FileEvent) -> String {
    match event {
        FileEvent::Content(text, _) => text,
        FileEvent::InvalidContent(why, _) => format!("invalid: {why}"),
        FileEvent::SameContent(_) => "same".to_owned(),
        FileEvent::Missing => "missing".to_owned(),
        FileEvent::Unreadable(why) => format!("unreadable: {why}"),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn each_edit_gives_one_event() {
    let mut fixture = WatchedFileFixture::with_content("one");
    assert_eq!(fixture.poll_for_one_event(4), None);

    fs::write(fixture.path("f"), "two").unwrap();
    assert_eq!(
        fixture.poll(3),
        [None, some("two"), None],
        "in place, with the same length"
    );

    fs::write(fixture.path("new"), "three").unwrap();
    fs::rename(fixture.path("new"), fixture.path("f")).unwrap();
    assert_eq!(fixture.poll_for_one_event(3), some("three"), "by renaming");

    fs::rename(fixture.path("f"), fixture.path("f~")).unwrap();
    assert_eq!(
        fixture.poll_for_one_event(4),
        None,
        "moved away for a moment"
    );
    fs::write(fixture.path("f"), "four").unwrap();
    assert_eq!(
        fixture.poll_for_one_event(3),
        some("four"),
        "and created again, as vim does with a backup"
    );

    fs::write(fixture.path("f"), "four").unwrap();
    assert_eq!(
        fixture.poll_for_one_event(3),
        some("same"),
        "saved without a change"
    );
    assert_eq!(fixture.poll_for_one_event(3), None);
}

#[test]
fn file_being_written_gives_no_event() {
    let mut fixture = WatchedFileFixture::with_content("one");
    let mut file = File::create(fixture.path("f")).unwrap();
    assert_eq!(fixture.poll(1), [None], "truncated");
    for part in ["t", "w", "o"] {
        file.write_all(part.as_bytes()).unwrap();
        assert_eq!(fixture.poll(1), [None], "{part}");
    }
    assert_eq!(fixture.poll(2), [some("two"), None]);
}

#[test]
fn swapped_volume_folder_gives_one_event() {
    let mut fixture = WatchedFileFixture::new();
    for (version, text) in [("v1", "one"), ("v2", "two")] {
        fs::create_dir(fixture.path(version)).unwrap();
        fs::write(fixture.path(version).join("f"), text).unwrap();
    }
    symlink("v1", fixture.path("..data")).unwrap();
    symlink("..data/f", fixture.path("f")).unwrap();
    assert_eq!(fixture.poll_for_one_event(3), some("one"));
    symlink("v2", fixture.path("..data_tmp")).unwrap();
    fs::rename(fixture.path("..data_tmp"), fixture.path("..data")).unwrap();
    fs::remove_dir_all(fixture.path("v1")).unwrap();
    assert_eq!(fixture.poll_for_one_event(3), some("two"));
}

#[test]
fn file_counts_as_missing_after_grace() {
    let mut fixture = WatchedFileFixture::with_content("one");
    fs::remove_file(fixture.path("f")).unwrap();
    assert_eq!(fixture.poll(11), [const { None }; 11], "for five seconds");
    assert_eq!(fixture.poll(3), [some("missing"), None, None]);
    fs::write(fixture.path("f"), "one").unwrap();
    assert_eq!(
        fixture.poll_for_one_event(3),
        some("one"),
        "the file is back"
    );

    let mut fixture = WatchedFileFixture::new();
    assert_eq!(
        fixture.read_now(fixture.now),
        some("missing"),
        "never existed"
    );
    assert_eq!(fixture.poll_for_one_event(20), None);
    fs::write(fixture.path("f"), "").unwrap();
    assert_eq!(fixture.poll_for_one_event(3), some(""));
}

#[test]
fn unreadable_file_gives_event_at_each_poll() {
    let mut fixture = WatchedFileFixture::with_content("one");
    fs::rename(fixture.path("f"), fixture.path("kept")).unwrap();
    fs::create_dir(fixture.path("f")).unwrap();
    let folder = some("unreadable: it is a folder; use the path of a file in it");
    assert_eq!(fixture.poll(3), [None, folder.clone(), folder]);
    fs::remove_dir(fixture.path("f")).unwrap();
    fs::rename(fixture.path("kept"), fixture.path("f")).unwrap();
    assert_eq!(
        fixture.poll_for_one_event(3),
        some("same"),
        "the folder was removed"
    );

    fs::remove_file(fixture.path("f")).unwrap();
    mkfifo(&fixture.path("f"), Mode::S_IRWXU).unwrap();
    let fifo = some("unreadable: it is not a regular file; replace it with one");
    assert_eq!(fixture.poll(2), [None, fifo.clone()]);
    assert_eq!(fixture.read_now(fixture.now), fifo);
    assert!(
        read_file(&fixture.path("f")).is_err(),
        "reading does not wait for a writer"
    );

    fs::remove_file(fixture.path("f")).unwrap();
    symlink("f", fixture.path("f")).unwrap();
    let event = fixture.poll_for_one_event(2).unwrap();
    assert!(
        event.starts_with("unreadable: ") && event.contains("symbolic links"),
        "{event}"
    );

    fs::remove_file(fixture.path("f")).unwrap();
    symlink("/dev/zero", fixture.path("f")).unwrap();
    assert_eq!(fixture.poll_for_one_event(2), fifo);
}

#[test]
fn revoked_permission_is_reported_and_recovers() {
    let mut fixture = WatchedFileFixture::with_content("one");
    let allow =
        |path: PathBuf, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    allow(fixture.path("f"), 0);
    let event = fixture.poll_for_one_event(2).unwrap();
    // Root can read the file anyway.
    if File::open(fixture.path("f")).is_ok() {
        assert_eq!(event, "same");
    } else {
        assert!(event.contains("ermission denied"), "{event}");
        allow(fixture.path("f"), 0o600);
        assert_eq!(fixture.poll_for_one_event(3), some("same"));
    }
}

#[test]
fn content_must_be_text_of_limited_length() {
    let mut fixture = WatchedFileFixture::new();
    fs::write(fixture.path("f"), b"text\xff").unwrap();
    assert_eq!(
        fixture.poll_for_one_event(2),
        some("invalid: the byte 0xff in line 1 at byte 5 is not UTF-8; save it as UTF-8")
    );
    let length = usize::try_from(MAX_BYTES).unwrap();
    fs::write(fixture.path("f"), " ".repeat(length)).unwrap();
    let file = File::options().write(true).open(fixture.path("f")).unwrap();
    assert_eq!(
        fixture.poll_for_one_event(2).map(|text| text.len()),
        Some(length)
    );
    file.set_len(10 * MAX_BYTES).unwrap();
    assert_eq!(
        fixture.poll_for_one_event(2),
        some("invalid: it is longer than 33554432 bytes; shorten it")
    );
}
