//! Paths, links, modes and locks.

use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(owned).collect()
}

#[test]
fn files_are_those_of_kubectl() {
    for (option, variables, expected) in [
        (Some("x"), &[("KUBECONFIG", "a:b")][..], &["x"][..]),
        (None, &[("KUBECONFIG", "a"), ("HOME", "/h")], &["a"]),
        (None, &[("KUBECONFIG", ":a::b:a:")], &["a", "b"]),
        (
            None,
            &[("KUBECONFIG", ":"), ("HOME", "/h")],
            &["/h/.kube/config"],
        ),
        (
            None,
            &[("KUBECONFIG", ""), ("HOME", "/h")],
            &["/h/.kube/config"],
        ),
        (None, &[("HOME", "/h")], &["/h/.kube/config"]),
    ] {
        let found = KubeconfigPaths::find(option.map(PathBuf::from), &environment(variables));
        let expected: Vec<&Path> = expected.iter().map(Path::new).collect();
        assert_eq!(found.unwrap().iter().collect::<Vec<_>>(), expected);
    }
    let error = KubeconfigPaths::find(None, &environment(&[])).unwrap_err();
    assert!(error.to_string().contains("--kubeconfig"), "{error}");
}

#[test]
fn entry_is_changed_where_it_is_and_added_to_the_first_file_that_exists() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let list = ["none", "one", "two"].map(|name| path(name).display().to_string());
    let paths = || KubeconfigPaths::find(None, &environment(&[("KUBECONFIG", &list.join(":"))]));
    let other = "users:\n- name: new\n  user: {exec: {command: ack-ram-authenticator}}\n";
    let clusters = "clusters: [{name: prod, cluster: {}}]\n";
    let with_context = || WriteRequest {
        context: Some("fresh".to_owned()),
        ..request()
    };

    fs::write(path("one"), clusters).unwrap();
    fs::write(path("two"), other).unwrap();
    let outcome = super::super::write(&paths().unwrap(), &with_context(), &options()).unwrap();
    let changed: Vec<PathBuf> = outcome.files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(changed, [path("two"), path("one")]);
    let one = fs::read_to_string(path("one")).unwrap();
    assert_eq!(
        one,
        format!(
            "{clusters}contexts:\n- name: fresh\n  context:\n    cluster: prod\n    user: new\n"
        )
    );
    assert!(
        fs::read_to_string(path("two"))
            .unwrap()
            .contains("interactiveMode")
    );

    // Without any file, the last one is created.
    fs::remove_file(path("one")).unwrap();
    fs::remove_file(path("two")).unwrap();
    super::super::write(&paths().unwrap(), &request(), &options()).unwrap();
    let names: Vec<PathBuf> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(names, [path("two")]);
}

#[test]
fn missing_file_is_created_with_its_folder_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("home/.kube/config");
    let paths = KubeconfigPaths::find(Some(path.clone()), &Environment::default()).unwrap();
    super::super::write(&paths, &request(), &options()).unwrap();
    assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
    assert_eq!(
        path.parent().unwrap().metadata().unwrap().mode() & 0o7777,
        0o700
    );
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        format!("apiVersion: v1\nkind: Config\nusers:\n{}", entry(0))
    );
}

#[test]
fn mode_stays() {
    for mode in [0o600, 0o640, 0o644, 0o400] {
        let fixture = Fixture::new("users: []\n");
        fs::set_permissions(fixture.path(), Permissions::from_mode(mode)).unwrap();
        fixture.write(&request()).unwrap();
        assert_eq!(fixture.path().metadata().unwrap().mode() & 0o7777, mode);
    }
}

#[test]
fn link_stays_and_its_target_changes() {
    for exists in [true, false] {
        let fixture = Fixture::missing();
        let folder = fixture.folder.path();
        fs::create_dir(folder.join("real")).unwrap();
        symlink("real/second", folder.join("config")).unwrap();
        symlink("target", folder.join("real/second")).unwrap();
        let target = folder.join("real/target");
        if exists {
            fs::write(&target, "users: []\n").unwrap();
        }
        fixture.write(&request()).unwrap();
        assert!(fixture.path().symlink_metadata().unwrap().is_symlink());
        assert!(
            folder
                .join("real/second")
                .symlink_metadata()
                .unwrap()
                .is_symlink()
        );
        let text = fs::read_to_string(&target).unwrap();
        assert!(text.ends_with(&entry(0)), "{text}");
    }
    let fixture = Fixture::missing();
    symlink("config", fixture.path()).unwrap();
    fixture.write(&request()).unwrap_err();
}

#[test]
fn other_names_of_the_file_show_the_change() {
    let fixture = Fixture::new("users: []\n# the end of a longer text\n");
    let other = fixture.folder.path().join("other");
    fs::hard_link(fixture.path(), &other).unwrap();
    fixture.write(&request()).unwrap();
    assert_eq!(fs::read_to_string(other).unwrap(), fixture.text());
}

#[test]
fn path_that_is_no_readable_file_is_refused() {
    let fixture = Fixture::missing();
    fs::create_dir(fixture.path()).unwrap();
    let error = fixture.write(&request()).unwrap_err().to_string();
    assert!(error.contains("is a folder, not a file"), "{error}");

    let fixture = Fixture::missing();
    nix::unistd::mkfifo(&fixture.path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = fixture.write(&request()).unwrap_err().to_string();
    assert!(error.contains("a pipe or a device"), "{error}");

    let fixture = Fixture::missing();
    fs::write(fixture.path(), b"users: \xff\n").unwrap();
    let error = fixture.write(&request()).unwrap_err().to_string();
    assert!(error.contains("not UTF-8"), "{error}");

    let fixture = Fixture::missing();
    File::create(fixture.path())
        .unwrap()
        .set_len(17 << 20)
        .unwrap();
    let error = fixture.write(&request()).unwrap_err().to_string();
    assert!(error.contains("larger than 16 MiB"), "{error}");
}

#[test]
fn held_lock_is_named_and_stays() {
    let fixture = Fixture::new("users: []\n");
    let lock = fixture.folder.path().join("config.lock");
    File::create(&lock).unwrap();
    let error = fixture.write(&request()).unwrap_err().to_string();
    assert!(error.contains(&lock.display().to_string()), "{error}");
    assert_eq!(fixture.text(), "users: []\n");
    assert_eq!(fixture.names(), ["config", "config.lock"]);
}

#[test]
fn released_lock_is_taken() {
    let fixture = Fixture::new("users: []\n");
    let lock = fixture.folder.path().join("config.lock");
    File::create(&lock).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let options = UpdateOptions {
                dry_run: false,
                lock_wait: Duration::from_secs(600),
            };
            let outcome = super::super::write(&fixture.paths, &request(), &options);
            sender.send(outcome).unwrap();
        });
        // The change of the other program, under its lock.
        fs::write(fixture.path(), "users: [] # changed\n").unwrap();
        fs::remove_file(&lock).unwrap();
        receiver.recv().unwrap().unwrap();
    });
    assert_eq!(fixture.text(), format!("users: # changed\n{}", entry(0)));
    assert_eq!(fixture.names(), ["config"]);
}

/// kubectl writes in place. Until it has finished, a reader without the lock sees half of the file.
#[test]
fn half_written_file_is_read_again_under_the_lock() {
    for half in ["users: [", "clusters: [{name: prod"] {
        let fixture = Fixture::new(half);
        let lock = fixture.folder.path().join("config.lock");
        File::create(&lock).unwrap();
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let options = UpdateOptions {
                    dry_run: false,
                    lock_wait: Duration::from_secs(600),
                };
                let outcome = super::super::write(&fixture.paths, &request(), &options);
                sender.send(outcome).unwrap();
            });
            fs::write(fixture.path(), "users: []\n").unwrap();
            fs::remove_file(&lock).unwrap();
            receiver.recv().unwrap().unwrap();
        });
        assert_eq!(fixture.text(), format!("users:\n{}", entry(0)));
        assert_eq!(fixture.names(), ["config"]);
    }
}

#[test]
fn many_writers_lose_no_entry() {
    let fixture = Fixture::new("# mine\nusers: []\n");
    let cluster_id = ClusterId::parse("c0123").unwrap();
    thread::scope(|scope| {
        for index in 0..8 {
            let (fixture, cluster_id) = (&fixture, &cluster_id);
            scope.spawn(move || {
                let name = format!("user-{index}");
                let token = TokenOptions::default();
                let request = WriteRequest {
                    user: PluginUser::new(Some(&name), PROGRAM, Some(cluster_id), &token),
                    ..request()
                };
                let options = UpdateOptions {
                    dry_run: false,
                    lock_wait: Duration::from_secs(600),
                };
                super::super::write(&fixture.paths, &request, &options).unwrap();
            });
        }
    });
    let text = fixture.text();
    assert_eq!(
        values(&text)["users"].as_array().unwrap().len(),
        8,
        "{text}"
    );
    assert!(text.starts_with("# mine\nusers:\n- name: user-"), "{text}");
    assert_eq!(fixture.names(), ["config"]);
}

/// Only root may change owners.
#[test]
fn owner_stays_when_root_writes() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let fixture = Fixture::new("users: []\n");
    std::os::unix::fs::chown(fixture.path(), Some(12345), Some(23456)).unwrap();
    fixture.write(&request()).unwrap();
    let metadata = fixture.path().metadata().unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (12345, 23456));
}

/// A file that is mounted into a container cannot be replaced. Only root may mount.
#[test]
#[cfg(target_os = "linux")]
fn mount_point_is_written_in_place() {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    let fixture = Fixture::new("users: [] # a longer text than the new one\n");
    let path = fixture.path();
    let write = || {
        // The mounts of this thread are its own.
        if unshare(CloneFlags::CLONE_NEWNS).is_err() {
            return;
        }
        let nothing = None::<&str>;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(nothing, "/", nothing, private, nothing).unwrap();
        mount(Some(&path), &path, nothing, MsFlags::MS_BIND, nothing).unwrap();
        let inode = path.metadata().unwrap().ino();
        fixture.write(&request()).unwrap();
        assert_eq!(path.metadata().unwrap().ino(), inode);
        assert!(fixture.text().ends_with(&entry(0)));
        assert_eq!(fixture.names(), ["config"]);
    };
    thread::scope(|scope| scope.spawn(write).join().unwrap());
}

/// Root may write everything.
#[test]
fn read_only_file_stays_for_its_owner() {
    let fixture = Fixture::new("users: []\n");
    fs::set_permissions(fixture.path(), Permissions::from_mode(0o400)).unwrap();
    match fixture.write(&request()) {
        Ok(_) => assert!(nix::unistd::geteuid().is_root()),
        Err(error) => {
            assert!(error.to_string().contains("cannot write"), "{error}");
            assert_eq!(fixture.text(), "users: []\n");
        }
    }
    assert_eq!(fixture.names(), ["config"]);
}
