//! Writes a file in place, if it cannot be replaced: a lost refresh token would force a person to sign in again.

use std::fs::OpenOptions;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use zeroize::Zeroizing;

use crate::session_file::replace::Change;
use crate::session_file::{Attempt, SaveError, read};

/// Writes the new content over the old content, with one call of the system. Readers and a crash can meet a mixture of
/// both only within that call.
pub(super) fn write(change: &Change<'_>) -> Result<Attempt, SaveError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(change.path)?;
    if *read(&file)? != *change.base {
        return Ok(Attempt::Again);
    }
    let (old, new) = (change.base.len(), change.edited.len());
    let spaces = " ".repeat(old.abs_diff(new));
    let mut text = Zeroizing::new(String::with_capacity(old.max(new)));
    text.push_str(&change.edited);
    if new > old {
        // White space at the end is valid. If the disk is full, nothing has changed.
        if let Err(error) = write_at(&mut file, old, &spaces) {
            file.set_len(old as u64)?;
            return Err(error.into());
        }
    } else {
        text.push_str(&spaces);
    }
    write_at(&mut file, 0, &text)?;
    file.set_len(new as u64)?;
    file.sync_all()?;
    Ok(Attempt::Saved)
}

fn write_at(file: &mut std::fs::File, position: usize, text: &str) -> io::Result<()> {
    file.seek(SeekFrom::Start(position as u64))?;
    file.write_all(text.as_bytes())
}
