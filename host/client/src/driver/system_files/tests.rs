use std::fs;
use std::path::PathBuf;

use super::*;

fn read(path: PathBuf) -> Result<String, FileError> {
    let content = SystemFiles.read(&path)?;
    Ok(content.text.to_string())
}

#[test]
fn bytes_of_a_file_are_text_without_a_byte_order_mark() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    for (bytes, expected) in [
        (&b""[..], Ok("")),
        (b"a\r\nb\0", Ok("a\r\nb\0")),
        (b"\xef\xbb\xbfa", Ok("a")),
        (b"\xef\xbb", Err(FileError::NotText)),
        (b"\xff\xfea\0", Err(FileError::NotText)),
        (b"a\xffb", Err(FileError::NotText)),
    ] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(path.clone()), expected.map(str::to_owned), "{bytes:?}");
    }
    fs::write(&path, "second").unwrap();
    let again = SystemFiles.read_again(&path).unwrap();
    assert_eq!(again.text.as_str(), "second");
}

#[test]
fn large_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    for (size, is_read) in [
        (MAX_FILE_BYTES, true),
        (MAX_FILE_BYTES + 1, false),
        (10 * 1024 * 1024, false),
    ] {
        let file = fs::File::create(&path).unwrap();
        file.set_len(size).unwrap();
        let expected = if is_read {
            Ok(size as usize)
        } else {
            Err(FileError::TooLarge)
        };
        assert_eq!(
            read(path.clone()).map(|text| text.len()),
            expected,
            "{size}"
        );
    }
}

#[test]
fn missing_file_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "a").unwrap();
    for path in [
        folder.path().join("absent"),
        folder.path().join("a/b"),
        file.join("b"),
    ] {
        assert_eq!(read(path.clone()), Err(FileError::NotFound), "{path:?}");
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    /// The pipe has no writer, so that a program that waits for one would never end.
    #[test]
    fn pipe_folder_and_device_are_not_files() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let link = folder.path().join("link");
        symlink(&pipe, &link).unwrap();
        const PIPE: &str = "a pipe or a device";
        for (path, what) in [
            (pipe.clone(), PIPE),
            (link, PIPE),
            ("/dev/zero".into(), PIPE),
            ("/dev/null".into(), PIPE),
            (folder.path().to_owned(), "a folder"),
        ] {
            assert_eq!(
                read(path.clone()),
                Err(FileError::NotAFile(what)),
                "{path:?}"
            );
        }
        let again = SystemFiles.read_again(&pipe).unwrap_err();
        assert_eq!(again, FileError::NotAFile(PIPE));
    }

    #[test]
    fn socket_and_loop_of_links_are_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let link = folder.path().join("link");
        symlink(&link, &link).unwrap();
        for path in [socket, link] {
            let error = read(path.clone()).unwrap_err();
            assert!(
                matches!(error, FileError::Unreadable(_)),
                "{path:?}: {error:?}"
            );
        }
    }

    #[test]
    fn link_to_nothing_does_not_count_as_a_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink(folder.path().join("absent"), &link).unwrap();
        for path in [link.clone(), link.join("f")] {
            let error = read(path.clone()).unwrap_err();
            assert_eq!(
                error,
                FileError::Unreadable(BROKEN_LINK.to_owned()),
                "{path:?}"
            );
        }
        fs::create_dir(folder.path().join("absent")).unwrap();
        assert_eq!(read(link.join("f")), Err(FileError::NotFound));
    }

    #[test]
    fn file_is_read_through_links_with_the_mode_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "a").unwrap();
        let link = folder.path().join("link");
        symlink(&file, &link).unwrap();
        for (mode, others_read, others_write, all_write) in [
            (0o600, false, false, false),
            (0o640, true, false, false),
            (0o604, true, false, false),
            (0o620, false, true, false),
            (0o664, true, true, false),
            (0o602, false, true, true),
            (0o666, true, true, true),
        ] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let access = SystemFiles.read(&link).unwrap().access.unwrap();
            assert_eq!((access.mode, access.is_own), (mode, true));
            assert_eq!(access.is_readable_by_others(), others_read, "{mode:o}");
            assert_eq!(access.is_writable_by_others(), others_write, "{mode:o}");
            assert_eq!(access.is_writable_by_all(), all_write, "{mode:o}");
        }
    }
}
