use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;
use crate::error::{ClientError, Refusal};

const NOW: UnixTime = UnixTime::from_seconds(1_780_000_000);

struct Fixture {
    temporary: TempDir,
    folder: CacheFolder,
}

impl Fixture {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(&temporary.path().join("a/b/cache")).unwrap();
        Self { temporary, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cache(&self) -> PlanCache<'_> {
        PlanCache::new(&self.folder, name('0'))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn name(digit: char) -> CacheKey {
    let digits: String = std::iter::repeat_n(digit, 64).collect();
    CacheKey::parse_entry_name(&format!("{digits}.json")).unwrap()
}

fn key(secret: &str, seconds: Option<i64>) -> Obtained {
    Obtained {
        key: AccessKey {
            id: AccessKeyId::parse("STS.FakeAccessKeyId001").unwrap(),
            secret: Secret::new(secret),
            security_token: Some(Secret::new("FakeToken1")),
        },
        expires: seconds.map(|seconds| NOW.plus_seconds(seconds)),
        session_name: None,
    }
}

fn refusal(at: UnixTime) -> RememberedRefusal {
    let error = ClientError::Refused(Refusal {
        cause: "refused".to_owned(),
        remedy: "ask".to_owned(),
    });
    RememberedRefusal::of(&error, at).unwrap()
}

fn found_secret(lookup: &Lookup) -> Option<&str> {
    match lookup {
        Lookup::Fresh(key) | Lookup::Due(key) => Some(key.key.secret.expose()),
        Lookup::Refused(_) | Lookup::Missing => None,
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn folder_and_files_are_private() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    assert!(
        cache
            .store(&key("FakeSecret1", Some(3600)), "plan", None, NOW)
            .unwrap()
    );
    cache.store_refusal(&refusal(NOW)).unwrap();
    let _lock = cache.try_lock();
    for folder in ["a", "a/b", "a/b/cache"] {
        assert_eq!(mode(&fixture.temporary.path().join(folder)), 0o700);
    }
    let names = fixture.names();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        assert_eq!(mode(&fixture.path(&name)), 0o600, "{name}");
    }
}

#[test]
fn key_without_an_end_is_not_stored() {
    let fixture = Fixture::new();
    let stored = fixture
        .cache()
        .store(&key("FakeSecret1", None), "plan", None, NOW);
    assert!(!stored.unwrap());
    assert!(!fixture.folder.path().exists());
}

#[test]
fn unusable_entry_is_ignored_and_replaced() {
    type Damage = fn(&Fixture, &Path);
    let cases: [(&str, Damage); 12] = [
        ("readable by the group", |_, path| set_mode(path, 0o640)),
        ("readable by others", |_, path| set_mode(path, 0o604)),
        ("0644", |_, path| set_mode(path, 0o644)),
        ("symbolic link", |fixture, path| {
            let target = fixture.temporary.path().join("target");
            fs::rename(path, &target).unwrap();
            symlink(&target, path).unwrap();
        }),
        ("link to nothing", |_, path| {
            fs::remove_file(path).unwrap();
            symlink("/nonexistent/target", path).unwrap();
        }),
        ("pipe", |_, path| {
            fs::remove_file(path).unwrap();
            mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        }),
        ("empty", |_, path| fs::write(path, "").unwrap()),
        ("half", |_, path| {
            let text = fs::read_to_string(path).unwrap();
            fs::write(path, text.get(..text.len() / 2).unwrap()).unwrap();
        }),
        ("10 MB", |_, path| {
            let mut text = fs::read_to_string(path).unwrap();
            text.push_str(&" ".repeat(10 << 20));
            fs::write(path, text).unwrap();
        }),
        ("not UTF-8", |_, path| fs::write(path, [0xff; 100]).unwrap()),
        ("copy of another entry", |fixture, path| {
            let other = PlanCache::new(&fixture.folder, name('1'));
            other
                .store(&key("FakeSecret9", Some(3600)), "plan", None, NOW)
                .unwrap();
            fs::copy(fixture.path(&name('1').entry_name()), path).unwrap();
        }),
        ("from the future", |fixture, _| {
            let later = NOW.plus_seconds(61);
            let cache = fixture.cache();
            cache
                .store(&key("FakeSecret9", Some(7200)), "plan", None, later)
                .unwrap();
        }),
    ];
    for (case, damage) in cases {
        let fixture = Fixture::new();
        let cache = fixture.cache();
        cache
            .store(&key("FakeSecret1", Some(3600)), "plan", None, NOW)
            .unwrap();
        assert_eq!(
            found_secret(&cache.look_up(NOW)),
            Some("FakeSecret1"),
            "{case}"
        );
        let path = fixture.path(&name('0').entry_name());
        damage(&fixture, &path);
        assert!(matches!(cache.look_up(NOW), Lookup::Missing), "{case}");
        let listed = fixture.folder.list().unwrap();
        let listed = listed.iter().find(|file| file.key == name('0')).unwrap();
        assert_eq!(listed.entry.is_some(), case == "from the future", "{case}");

        cache
            .store(&key("FakeSecret2", Some(3600)), "plan", None, NOW)
            .unwrap();
        assert_eq!(
            found_secret(&cache.look_up(NOW)),
            Some("FakeSecret2"),
            "{case}"
        );
        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{case}");
        assert_eq!(mode(&path), 0o600, "{case}");
    }
}

#[test]
fn folder_that_is_not_private_is_not_used() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("cache");
    for (bits, is_usable) in [
        (0o700, true),
        (0o755, true),
        (0o720, false),
        (0o702, false),
        (0o1777, false),
    ] {
        fs::create_dir(&path).unwrap();
        set_mode(&path, bits);
        assert_eq!(CacheFolder::open(&path).is_ok(), is_usable, "{bits:o}");
        fs::remove_dir(&path).unwrap();
    }
    fs::write(&path, "").unwrap();
    assert!(matches!(
        CacheFolder::open(&path),
        Err(FolderError::NotAFolder)
    ));
    assert!(matches!(
        CacheFolder::open(&path.join("below")),
        Err(FolderError::Io(_))
    ));
    fs::remove_file(&path).unwrap();
    symlink(temporary.path().join("nothing"), &path).unwrap();
    assert!(CacheFolder::open(&path).is_err());
    fs::remove_file(&path).unwrap();
    let private = temporary.path().join("private");
    fs::create_dir(&private).unwrap();
    set_mode(&private, 0o700);
    symlink(&private, &path).unwrap();
    assert!(CacheFolder::open(&path).is_ok());
}

#[test]
fn refusal_blocks_only_a_plan_without_a_key() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    cache.store_refusal(&refusal(NOW)).unwrap();
    assert!(matches!(cache.look_up(NOW), Lookup::Refused(_)));
    cache
        .store(&key("FakeSecret1", Some(3600)), "plan", None, NOW)
        .unwrap();
    assert!(cache.refusal(NOW).is_none());

    // A renewal was refused.
    let late = NOW.plus_seconds(3538);
    cache.store_refusal(&refusal(late)).unwrap();
    assert!(matches!(cache.look_up(late), Lookup::Due(_)));
    assert!(matches!(
        cache.look_up(late.plus_seconds(2)),
        Lookup::Refused(_)
    ));
    assert!(matches!(
        cache.look_up(late.plus_seconds(5)),
        Lookup::Missing
    ));
}

#[test]
fn refusal_does_not_come_back_after_the_clock_is_set_back() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    for jump in [-1, -3600, 5, 86_400] {
        cache.store_refusal(&refusal(NOW)).unwrap();
        assert!(
            matches!(cache.look_up(NOW.plus_seconds(jump)), Lookup::Missing),
            "{jump}"
        );
        assert!(matches!(cache.look_up(NOW), Lookup::Missing), "{jump}");
    }
}

#[test]
fn failed_renewal_is_repeated_after_a_pause() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    let LockAttempt::Held(mut lock) = cache.try_lock() else {
        panic!("no lock");
    };
    assert!(!cache.has_failed_renewal(&mut lock, NOW));
    cache.note_renewal(&mut lock, false, NOW);
    for (after, expected) in [(0, true), (29, true), (30, false), (-1, false)] {
        let now = NOW.plus_seconds(after);
        assert_eq!(
            cache.has_failed_renewal(&mut lock, now),
            expected,
            "{after}"
        );
    }
    cache.note_renewal(&mut lock, true, NOW);
    assert!(!cache.has_failed_renewal(&mut lock, NOW));
}

#[test]
fn old_files_of_the_cache_are_removed_and_no_others() {
    let fixture = Fixture::new();
    let held = PlanCache::new(&fixture.folder, name('2'));
    let _lock = held.try_lock();
    let (old, kept) = (
        [
            name('1').entry_name(),
            name('1').refusal_name(),
            name('1').lock_name(),
            ".ack-ram-authenticator-new-abc".to_owned(),
        ],
        [
            ".new-diary".to_owned(),
            name('2').lock_name(),
            "notes.json".to_owned(),
            "x.lock".to_owned(),
        ],
    );
    let day = Duration::from_secs(25 * 3600);
    for name in old.iter().chain(&kept) {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options.open(fixture.path(name)).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - day).unwrap();
    }
    // The clock of the command does not matter.
    for now in [
        NOW,
        NOW.plus_seconds(-86_400_000),
        NOW.plus_seconds(86_400_000),
    ] {
        fixture
            .cache()
            .store(&key("FakeSecret1", Some(3600)), "plan", None, now)
            .unwrap();
    }
    let mut expected = kept.to_vec();
    expected.push(name('0').entry_name());
    expected.sort();
    assert_eq!(fixture.names(), expected);
}

#[test]
fn clearing_removes_entries_and_leftovers() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    cache
        .store(&key("FakeSecret1", Some(3600)), "plan", None, NOW)
        .unwrap();
    cache.store_refusal(&refusal(NOW)).unwrap();
    drop(cache.try_lock());
    let held = PlanCache::new(&fixture.folder, name('1'));
    let _lock = held.try_lock();
    for name in [".ack-ram-authenticator-new-abc", ".new-diary", "notes.txt"] {
        fs::write(fixture.path(name), "").unwrap();
    }

    fixture.folder.clear(&name('0')).unwrap();
    fixture.folder.clear(&name('0')).unwrap();
    fixture.folder.clear_leftovers().unwrap();
    assert_eq!(
        fixture.names(),
        [
            ".new-diary".to_owned(),
            name('1').lock_name(),
            "notes.txt".to_owned(),
        ]
    );
}
