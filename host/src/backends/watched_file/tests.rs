use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// A watched file, looked at each half second of a time that passes only here.
struct Bench {
    folder: TempDir,
    file: WatchedFile,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = WatchedFile::new(folder.path().join("f"), PATIENCE);
        let now = Instant::now();
        Self { folder, file, now }
    }

    fn with(text: &str) -> Self {
        let mut bench = Self::new();
        fs::write(bench.path("f"), text).unwrap();
        assert_eq!(bench.tell(bench.now), Some(text.to_owned()));
        bench
    }

    fn tell(&mut self, now: Instant) -> Option<String> {
        Some(outcome(self.file.read_now(now)))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What each of the next `looks` sees.
    fn look(&mut self, looks: usize) -> Vec<Option<String>> {
        (0..looks)
            .map(|_| {
                self.now += LOOK_EVERY;
                self.file.look(self.now).map(outcome)
            })
            .collect()
    }

    /// What the next looks see, of which only one sees anything.
    fn one(&mut self, looks: usize) -> Option<String> {
        let seen: Vec<String> = self.look(looks).into_iter().flatten().collect();
        assert!(seen.len() <= 1, "{seen:?}");
        seen.into_iter().next()
    }
}

fn outcome(seen: Seen) -> String {
    match seen {
        Seen::Content(text, _) => text,
        Seen::Unfit(why, _) => format!("unfit: {why}"),
        Seen::SameContent(_) => "same".to_owned(),
        Seen::Missing => "missing".to_owned(),
        Seen::Unreadable(why) => format!("unreadable: {why}"),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn an_edit_is_seen_once_however_it_is_made() {
    let mut bench = Bench::with("one");
    assert_eq!(bench.one(4), None);

    fs::write(bench.path("f"), "two").unwrap();
    assert_eq!(
        bench.look(3),
        [None, some("two"), None],
        "in place, as long as before"
    );

    fs::write(bench.path("new"), "three").unwrap();
    fs::rename(bench.path("new"), bench.path("f")).unwrap();
    assert_eq!(bench.one(3), some("three"), "by renaming");

    fs::rename(bench.path("f"), bench.path("f~")).unwrap();
    assert_eq!(bench.one(4), None, "moved away for a moment");
    fs::write(bench.path("f"), "four").unwrap();
    assert_eq!(
        bench.one(3),
        some("four"),
        "and made anew, as vim does with a backup"
    );

    fs::write(bench.path("f"), "four").unwrap();
    assert_eq!(bench.one(3), some("same"), "saved without a change");
    assert_eq!(bench.one(3), None);
}

#[test]
fn a_file_that_is_being_written_is_left_alone() {
    let mut bench = Bench::with("one");
    let mut file = File::create(bench.path("f")).unwrap();
    assert_eq!(bench.look(1), [None], "truncated");
    for part in ["t", "w", "o"] {
        file.write_all(part.as_bytes()).unwrap();
        assert_eq!(bench.look(1), [None], "{part}");
    }
    assert_eq!(bench.look(2), [some("two"), None]);
}

#[test]
fn a_folder_that_kubernetes_swaps() {
    let mut bench = Bench::new();
    for (version, text) in [("v1", "one"), ("v2", "two")] {
        fs::create_dir(bench.path(version)).unwrap();
        fs::write(bench.path(version).join("f"), text).unwrap();
    }
    symlink("v1", bench.path("..data")).unwrap();
    symlink("..data/f", bench.path("f")).unwrap();
    assert_eq!(bench.one(3), some("one"));
    symlink("v2", bench.path("..data_tmp")).unwrap();
    fs::rename(bench.path("..data_tmp"), bench.path("..data")).unwrap();
    fs::remove_dir_all(bench.path("v1")).unwrap();
    assert_eq!(bench.one(3), some("two"));
}

#[test]
fn a_file_is_gone_when_it_stays_away() {
    let mut bench = Bench::with("one");
    fs::remove_file(bench.path("f")).unwrap();
    assert_eq!(bench.look(11), [const { None }; 11], "for five seconds");
    assert_eq!(bench.look(3), [some("missing"), None, None]);
    fs::write(bench.path("f"), "one").unwrap();
    assert_eq!(bench.one(3), some("one"), "it is back");

    let mut bench = Bench::new();
    assert_eq!(bench.tell(bench.now), some("missing"), "never there");
    assert_eq!(bench.one(20), None);
    fs::write(bench.path("f"), "").unwrap();
    assert_eq!(bench.one(3), some(""));
}

#[test]
fn what_cannot_be_read_is_told_until_it_can() {
    let mut bench = Bench::with("one");
    fs::rename(bench.path("f"), bench.path("kept")).unwrap();
    fs::create_dir(bench.path("f")).unwrap();
    let folder = some("unreadable: it is a folder; name a file in it");
    assert_eq!(bench.look(3), [None, folder.clone(), folder]);
    fs::remove_dir(bench.path("f")).unwrap();
    fs::rename(bench.path("kept"), bench.path("f")).unwrap();
    assert_eq!(bench.one(3), some("same"), "the folder is gone");

    fs::remove_file(bench.path("f")).unwrap();
    mkfifo(&bench.path("f"), Mode::S_IRWXU).unwrap();
    let fifo = some("unreadable: it is no ordinary file; put one there");
    assert_eq!(bench.look(2), [None, fifo.clone()]);
    assert_eq!(bench.tell(bench.now), fifo);
    assert!(
        read(&bench.path("f")).is_err(),
        "nobody writes to it, and it is not waited for"
    );

    fs::remove_file(bench.path("f")).unwrap();
    symlink("f", bench.path("f")).unwrap();
    let seen = bench.one(2).unwrap();
    assert!(
        seen.starts_with("unreadable: ") && seen.contains("symbolic links"),
        "{seen}"
    );

    fs::remove_file(bench.path("f")).unwrap();
    symlink("/dev/zero", bench.path("f")).unwrap();
    assert_eq!(bench.one(2), fifo);
}

#[test]
fn permission_can_be_taken_and_given_back() {
    let mut bench = Bench::with("one");
    let allow =
        |path: PathBuf, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    allow(bench.path("f"), 0);
    let seen = bench.one(2).unwrap();
    // The superuser reads it all the same.
    if File::open(bench.path("f")).is_ok() {
        assert_eq!(seen, "same");
    } else {
        assert!(seen.contains("ermission denied"), "{seen}");
        allow(bench.path("f"), 0o600);
        assert_eq!(bench.one(3), some("same"));
    }
}

#[test]
fn content_has_a_length_and_is_text() {
    let mut bench = Bench::new();
    fs::write(bench.path("f"), b"text\xff").unwrap();
    assert_eq!(
        bench.one(2),
        some("unfit: the byte 0xff in line 1 at byte 5 is not UTF-8; save it as UTF-8")
    );
    let length = usize::try_from(MAX_BYTES).unwrap();
    fs::write(bench.path("f"), " ".repeat(length)).unwrap();
    let file = File::options().write(true).open(bench.path("f")).unwrap();
    assert_eq!(bench.one(2).map(|text| text.len()), Some(length));
    file.set_len(10 * MAX_BYTES).unwrap();
    assert_eq!(
        bench.one(2),
        some("unfit: it is longer than 33554432 bytes; remove what is not mappings")
    );
}
