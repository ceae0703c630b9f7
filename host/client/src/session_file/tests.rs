mod beside_cli;
mod edits;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use ack_ram_core::secret::Secret;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Uid, setfsuid};
use tempfile::TempDir;

use super::*;
use crate::flow::MemberValue;

const CONFIG: &str = "{\n\t\"current\": \"p\",\n\t\"profiles\": [\n\t\t{\n\t\t\t\"name\": \"p\",\n\t\t\t\
    \"oauth_refresh_token\": \"old\",\n\t\t\t\"sts_expiration\": 111\n\t\t}\n\t]\n}\n";

fn update_of(file: PathBuf, name: &str, old: &str, new: &str) -> SessionUpdate {
    SessionUpdate {
        profile: Arc::new(Profile {
            file,
            name: name.to_owned(),
        }),
        expected: ("oauth_refresh_token", Secret::new(old)),
        members: vec![
            ("oauth_refresh_token", MemberValue::Text(Secret::new(new))),
            ("sts_expiration", MemberValue::Number(222)),
        ],
    }
}

struct Fixture {
    folder: TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new(text: &str) -> Self {
        // In memory, if possible: each save waits for the disk.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, text).unwrap();
        Self { folder, path }
    }

    fn save(&self) -> Result<(), SaveError> {
        save(&update_of(self.path.clone(), "p", "old", "new"))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn number_of_files(&self) -> usize {
        fs::read_dir(self.folder.path()).unwrap().count()
    }
}

fn changed(text: &str) -> String {
    text.replace("\"old\"", "\"new\"").replace("111", "222")
}

/// Runs `test` with mounts of its own. Returns without running it if this user may not mount.
fn with_own_mounts(test: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let own = scope.spawn(|| {
            if unshare(CloneFlags::CLONE_NEWNS).is_err() {
                return;
            }
            let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            test();
        });
        own.join().unwrap();
    });
}

#[test]
fn saved_file_keeps_mode_owner_and_links() {
    let fixture = Fixture::new(CONFIG);
    let target = fixture.folder.path().join("target.json");
    fs::rename(&fixture.path, &target).unwrap();
    let middle = fixture.folder.path().join("middle.json");
    symlink("target.json", &middle).unwrap();
    symlink(&middle, &fixture.path).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    if Uid::effective().is_root() {
        std::os::unix::fs::chown(&target, Some(12_345), Some(54_321)).unwrap();
    }
    let before = fs::metadata(&target).unwrap();

    fixture.save().unwrap();
    assert_eq!(fixture.text(), changed(CONFIG));
    let after = fs::metadata(&target).unwrap();
    let access = |metadata: &fs::Metadata| (metadata.mode(), metadata.uid(), metadata.gid());
    assert_eq!(access(&after), access(&before));
    assert_eq!(fs::read_link(&fixture.path).unwrap(), middle);
    assert_eq!(
        fs::read_link(&middle).unwrap().to_str(),
        Some("target.json")
    );
    assert_eq!(fixture.number_of_files(), 3);
}

#[test]
fn refused_change_leaves_the_file() {
    let text = CONFIG.replace("old", "other");
    let fixture = Fixture::new(&text);
    let before = fs::metadata(&fixture.path).unwrap();
    let error = fixture.save().unwrap_err();
    assert!(
        matches!(error, SaveError::Edit(EditError::Changed)),
        "{error}"
    );
    assert_eq!(error.remedy(), None);
    assert_eq!(fixture.text(), text);
    assert_eq!(fs::metadata(&fixture.path).unwrap().ino(), before.ino());
    assert_eq!(fixture.number_of_files(), 1);
}

/// Saves as another user, in a folder that this user cannot write.
///
/// The check before the save must have the same result.
fn save_in_foreign_folder(mode: u32) -> (Fixture, Result<(), SaveError>) {
    let fixture = Fixture::new(CONFIG);
    fs::set_permissions(fixture.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(mode)).unwrap();
    let result = thread::scope(|scope| {
        let other = scope.spawn(|| {
            // The thread has the access rights of another user.
            setfsuid(Uid::from_raw(12_345));
            let update = update_of(fixture.path.clone(), "p", "old", "new");
            let is_writable = check_writable(&update.profile).is_ok();
            let result = fixture.save();
            assert_eq!(result.is_ok(), is_writable);
            result
        });
        other.join().unwrap()
    });
    (fixture, result)
}

#[test]
fn file_that_cannot_be_written_stays_with_advice() {
    if !Uid::effective().is_root() {
        return;
    }
    let (fixture, result) = save_in_foreign_folder(0o644);
    let error = result.unwrap_err();
    assert!(
        matches!(&error, SaveError::Io(error) if error.kind() == io::ErrorKind::PermissionDenied),
        "{error}"
    );
    assert!(error.remedy().is_some());
    assert_eq!(fixture.text(), CONFIG);
    assert_eq!(fixture.number_of_files(), 1);
}

#[test]
fn file_in_a_folder_that_cannot_be_written_is_written_in_place() {
    if !Uid::effective().is_root() {
        return;
    }
    let (fixture, result) = save_in_foreign_folder(0o666);
    result.unwrap();
    assert_eq!(fixture.text(), changed(CONFIG));
    assert_eq!(fixture.number_of_files(), 1);
}

#[test]
fn file_whose_owner_cannot_be_kept_is_written_in_place() {
    if !Uid::effective().is_root() {
        return;
    }
    let fixture = Fixture::new(CONFIG);
    fs::set_permissions(fixture.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o666)).unwrap();
    let before = fs::metadata(&fixture.path).unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            setfsuid(Uid::from_raw(12_345));
            fixture.save()
        });
        other.join().unwrap().unwrap();
    });
    assert_eq!(fixture.text(), changed(CONFIG));
    let after = fs::metadata(&fixture.path).unwrap();
    assert_eq!(
        (after.ino(), after.uid(), after.mode()),
        (before.ino(), before.uid(), before.mode())
    );
    assert_eq!(fixture.number_of_files(), 1);
}

#[test]
fn mounted_file_is_written_in_place() {
    for (old, new) in [("old", "new"), ("old", "a much longer token"), ("old", "n")] {
        with_own_mounts(|| {
            let fixture = Fixture::new(CONFIG);
            let target = fixture.folder.path().join("target");
            fs::write(&target, CONFIG).unwrap();
            let bind = MsFlags::MS_BIND;
            mount(
                Some(&target),
                &fixture.path,
                None::<&str>,
                bind,
                None::<&str>,
            )
            .unwrap();
            save(&update_of(fixture.path.clone(), "p", old, new)).unwrap();
            let expected = changed(CONFIG).replace("\"new\"", &format!("\"{new}\""));
            assert_eq!(fixture.text(), expected);
            assert_eq!(fs::read_to_string(&target).unwrap(), expected);
            assert_eq!(fixture.number_of_files(), 2);
            nix::mount::umount(&fixture.path).unwrap();
        });
    }
}

#[test]
fn mounted_file_that_cannot_be_written_is_not_writable() {
    with_own_mounts(|| {
        let fixture = Fixture::new(CONFIG);
        let target = fixture.folder.path().join("target");
        fs::write(&target, CONFIG).unwrap();
        let path = &fixture.path;
        let mount_with = |flags| {
            mount(Some(&target), path, None::<&str>, flags, None::<&str>).unwrap();
        };
        let update = update_of(path.clone(), "p", "old", "new");
        mount_with(MsFlags::MS_BIND);
        assert!(check_writable(&update.profile).is_ok());
        mount_with(MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY);
        assert!(check_writable(&update.profile).is_err());
        assert!(save(&update).is_err());
        assert_eq!(fixture.number_of_files(), 2);
        nix::mount::umount(path).unwrap();
    });
}

#[test]
fn foreign_file_that_cannot_be_written_is_not_writable_in_an_own_folder() {
    if !Uid::effective().is_root() {
        return;
    }
    let fixture = Fixture::new(CONFIG);
    fs::set_permissions(fixture.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o644)).unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            setfsuid(Uid::from_raw(12_345));
            let update = update_of(fixture.path.clone(), "p", "old", "new");
            assert!(check_writable(&update.profile).is_err());
            assert!(fixture.save().is_err());
        });
        other.join().unwrap();
    });
    assert_eq!(fixture.number_of_files(), 1);
}

#[test]
fn full_disk_leaves_the_file_with_advice() {
    with_own_mounts(|| {
        let folder = tempfile::tempdir().unwrap();
        let tmpfs = Some("tmpfs");
        mount(
            tmpfs,
            folder.path(),
            tmpfs,
            MsFlags::empty(),
            Some("size=64k"),
        )
        .unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, CONFIG).unwrap();
        let mut filler = File::create(folder.path().join("filler")).unwrap();
        while io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}

        let update = update_of(path.clone(), "p", "old", "new");
        let error = check_writable(&update.profile).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let error = save(&update_of(path.clone(), "p", "old", "new")).unwrap_err();
        assert!(
            matches!(&error, SaveError::Io(error) if error.kind() == io::ErrorKind::StorageFull),
            "{error}"
        );
        assert!(error.remedy().is_some_and(|remedy| remedy.contains("disk")));
        assert_eq!(fs::read_to_string(&path).unwrap(), CONFIG);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        drop(filler);
        nix::mount::umount(folder.path()).unwrap();
    });
}

#[test]
fn change_of_another_program_during_the_exchange_is_merged() {
    let fixture = Fixture::new(CONFIG);
    let newer = CONFIG.replace("\"current\"", "\"cli\": 1, \"current\"");
    let update = update_of(fixture.path.clone(), "p", "old", "new");
    let metadata = fs::metadata(&fixture.path).unwrap();
    let change = |base: &str| replace::Change {
        path: &fixture.path,
        metadata: &metadata,
        base: Zeroizing::new(base.to_owned()),
        edited: edit::edit(base, &update).unwrap(),
        pauses: 1,
    };
    // The CLI has replaced the file after it was read: the change is made again.
    fs::write(&fixture.path, &newer).unwrap();
    let attempt = replace::apply(change(CONFIG), |text| edit::edit(text, &update)).unwrap();
    assert!(matches!(attempt, Attempt::Again));
    assert_eq!(fixture.text(), newer);

    // The CLI has replaced the file after the check.
    let attempt =
        replace::exchange_and_settle(change(CONFIG), |text| edit::edit(text, &update)).unwrap();
    assert!(matches!(attempt, Attempt::Saved));
    assert_eq!(fixture.text(), changed(&newer));
    assert_eq!(fixture.number_of_files(), 1);

    // A person has signed in again in that moment.
    let signed_in = CONFIG.replace("old", "other");
    fs::write(&fixture.path, &signed_in).unwrap();
    let error = replace::exchange_and_settle(change(CONFIG), |text| edit::edit(text, &update));
    assert!(matches!(error, Err(SaveError::Edit(EditError::Changed))));
    assert_eq!(fixture.text(), signed_in);
    assert_eq!(fixture.number_of_files(), 1);
}

#[test]
fn file_is_renamed_where_files_cannot_be_exchanged() {
    let fixture = Fixture::new(CONFIG);
    let metadata = fs::metadata(&fixture.path).unwrap();
    let change = replace::Change {
        path: &fixture.path,
        metadata: &metadata,
        base: Zeroizing::new(CONFIG.to_owned()),
        edited: Zeroizing::new(changed(CONFIG)),
        pauses: 1,
    };
    let new = change.write_beside().unwrap();
    assert!(matches!(change.rename(new).unwrap(), Attempt::Saved));
    assert_eq!(fixture.text(), changed(CONFIG));
    assert_eq!(fixture.number_of_files(), 1);
}

#[test]
fn file_that_a_killed_program_has_half_written_is_replaced_by_the_last_good_one() {
    let fixture = Fixture::new(CONFIG);
    let update = update_of(fixture.path.clone(), "p", "old", "new");
    let metadata = fs::metadata(&fixture.path).unwrap();
    let change = replace::Change {
        path: &fixture.path,
        metadata: &metadata,
        base: Zeroizing::new(CONFIG.to_owned()),
        edited: Zeroizing::new(changed(CONFIG)),
        pauses: 1,
    };
    fs::write(&fixture.path, CONFIG.get(..20).unwrap()).unwrap();
    let attempt = replace::exchange_and_settle(change, |text| edit::edit(text, &update)).unwrap();
    assert!(matches!(attempt, Attempt::Saved));
    assert_eq!(fixture.text(), changed(CONFIG));
    assert_eq!(fixture.number_of_files(), 1);
}

#[test]
fn leftovers_of_killed_processes_are_removed() {
    let fixture = Fixture::new(CONFIG);
    let path = |name: &str| fixture.folder.path().join(name);
    let names = [
        ".ack-ram-config-old",
        ".ack-ram-config-new",
        ".ack-ram-config-held",
        "notes",
    ];
    for name in names {
        fs::write(path(name), "").unwrap();
        let file = File::options().write(true).open(path(name)).unwrap();
        let age = if name.ends_with("new") { 60 } else { 7200 };
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - Duration::from_secs(age))
            .unwrap();
    }
    let held = File::open(path(".ack-ram-config-held")).unwrap();
    held.lock().unwrap();
    fixture.save().unwrap();
    let kept = names.map(|name| path(name).exists());
    assert_eq!(kept, [false, true, true, true]);
}
