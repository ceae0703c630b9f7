//! A network and mounts of its own for a test program, which nobody else sees or disturbs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Puts this process where there is nothing but a loopback interface, all ports are free, and mounts end with it.
///
/// It must have one thread only. It needs root, or a system that lets users make namespaces.
///
/// # Errors
/// When the system does not let it.
pub fn enter() -> io::Result<()> {
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    match unshare(own) {
        Err(Errno::EPERM) => {
            let (user, group) = (geteuid(), getegid());
            unshare(own | CloneFlags::CLONE_NEWUSER)?;
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
            fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
        }
        done => done?,
    }
    let nothing = None::<&str>;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(nothing, "/", nothing, private, nothing)?;
    let mut up = Command::new("ip");
    let up = up.args(["link", "set", "lo", "up"]).status()?;
    if up.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("`ip link set lo up`: {up}")))
    }
}

/// Shows `file` in place of the one at `path`, to this process and those that it starts.
///
/// # Errors
/// When there is none at `path`, or the process has no mounts of its own.
pub fn replace_file(path: &str, file: &Path) -> io::Result<()> {
    // What is a link points elsewhere than in this file system, maybe.
    let path = fs::canonicalize(path)?;
    let nothing = None::<&str>;
    Ok(mount(
        Some(file),
        &path,
        nothing,
        MsFlags::MS_BIND,
        nothing,
    )?)
}

/// A file system of its own in a folder, in memory, until it is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Makes `folder` a disk of so many bytes.
    ///
    /// # Errors
    /// When the process has no mounts of its own.
    pub fn mount(folder: &Path, bytes: usize) -> io::Result<Self> {
        let options = format!("size={bytes}");
        let kind = Some("tmpfs");
        mount(kind, folder, kind, MsFlags::empty(), Some(&*options))?;
        Ok(Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // At the latest it ends with the process.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}
