//! Network and mount namespaces that isolate a test program from other processes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Moves this process into new network and mount namespaces.
///
/// The network consists of a loopback interface, so all ports are free. Mounts disappear with the process. The process
/// must have only one thread, and needs root or a system that lets users create namespaces.
///
/// # Errors
/// If the system does not allow it.
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

/// Mounts `file` over the file at `path`, for this process and its children.
///
/// # Errors
/// If there is no file at `path`, or the process has no mount namespace of its own.
pub fn replace_file(path: &str, file: &Path) -> io::Result<()> {
    // A symbolic link may point to another file system.
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

/// A small file system in memory, mounted on a folder until it is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts a file system of `bytes` bytes on `folder`.
    ///
    /// # Errors
    /// If the process has no mount namespace of its own.
    pub fn mount(folder: &Path, bytes: usize) -> io::Result<Self> {
        let options = format!("size={bytes}");
        let kind = Some("tmpfs");
        mount(kind, folder, kind, MsFlags::empty(), Some(&*options))?;
        Ok(Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // If this fails, the mount disappears with the process.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}
