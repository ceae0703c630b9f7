//! What tells about the program itself.

use std::io;
use std::process::Stdio;

use crate::program::TestFolder;

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    for args in [&["completion", "bash"][..], &["version"], &["--help"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let folder = TestFolder::new(&[]);
        let mut command = folder.command(args, &[]);
        let output = command
            .stdin(Stdio::null())
            .stdout(writer)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert_eq!(output.stderr, b"", "{args:?}");
    }
}
