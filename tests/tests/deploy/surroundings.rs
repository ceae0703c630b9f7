//! The script runs as root, so it neither runs nor trusts anything in its environment that another user may write.

mod ownership;
mod trap;

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use ack_ram_tests::scripts::write_script;
use nix::unistd::geteuid;

use crate::node::{KUBEADM, Node, SCRIPT, run};
use crate::surroundings::trap::Trap;

/// Returns the script as users start it: by its name, or with Bash.
fn start_commands(node: &Node, args: &[&str]) -> [Command; 2] {
    let with_bash = node.command(Path::new(SCRIPT), args);
    let mut by_name = Command::new(SCRIPT);
    by_name.env_clear().args(with_bash.get_args().skip(1));
    let mut bash = Command::new("/bin/bash");
    bash.env_clear().args(with_bash.get_args());
    [by_name, bash]
}

#[test]
fn hostile_environment_has_no_effect() {
    for start in [0, 1] {
        let node = Node::new(KUBEADM);
        let wanted = {
            let other = Node::new(KUBEADM);
            other.run_successfully(&[]);
            let path = |node: &Node| node.webhook_folder().to_string_lossy().into_owned();
            other.read_manifest().replace(&path(&other), &path(&node))
        };
        let trap = Trap::new();
        for (args, expected) in [
            (&["--dry-run"][..], KUBEADM),
            (&[], &wanted),
            (&["--undo"], KUBEADM),
        ] {
            let mut command = start_commands(&node, args).into_iter().nth(start).unwrap();
            trap.arm(&mut command);
            if start == 0 {
                trap.arm_interpreter(&mut command);
            }
            let outcome = run(command);
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            assert!(!outcome.stderr.contains("note:"), "{outcome:?}");
            trap.assert_nothing_ran();
            assert_eq!(node.read_manifest(), expected, "{args:?}");
        }
    }
}

/// Without kubectl, Python parses the manifest, but not with modules of the current folder.
#[test]
fn python_ignores_modules_of_current_folder_and_environment() {
    let node = Node::new(KUBEADM);
    let trap = Trap::new();
    let programs = crate::change::path_without_parser();
    let python = programs.path().join("python3");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = -I ] && [ \"$(pwd)\" = / ] || echo \"$@\" >>{}\nexit 1\n",
        trap.marker().display()
    );
    write_script(&python, &text).unwrap();
    let run = |args: &[&str]| {
        let outcome = node.run_armed(programs.path(), args, |command| trap.arm(command));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        trap.assert_nothing_ran();
    };
    run(&["--dry-run"]);
    // The same with the real Python, if the machine has it.
    let real = Path::new("/usr/bin/python3");
    if real.exists() {
        fs::remove_file(&python).unwrap();
        symlink(real, &python).unwrap();
        run(&["--dry-run"]);
        run(&[]);
    }
}

/// Root does not import a module that another user may have written.
#[test]
fn python_ignores_modules_writable_by_others() {
    if !Path::new("/usr/bin/python3").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("yaml")).unwrap();
    fs::write(folder.path().join("yaml/__init__.py"), "").unwrap();
    let script = fs::read_to_string(SCRIPT).unwrap();
    let begin = script.find("\ncheck_writers() {").unwrap();
    let end = script.find("\n# ---- Main program").unwrap();
    let check = script.find("\ncheck_modules() {").unwrap();
    let after = check + script[check..].find("\n}\n").unwrap() + 3;
    let test = format!(
        "{}{}\ncheck_modules \"$1\"\n",
        &script[begin..end],
        &script[check..after]
    );
    for (path, mode, code) in [
        ("", 0o755, 0),
        ("", 0o777, 1),
        ("yaml", 0o775, 1),
        ("yaml/__init__.py", 0o666, 1),
    ] {
        let path = folder.path().join(path);
        let set = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let before = fs::metadata(&path).unwrap().permissions();
        set(mode);
        let mut command = Command::new("/bin/bash");
        command.args(["-c", &test, "test"]).arg(folder.path());
        let outcome = run(command);
        assert_eq!(outcome.code, Some(code), "{path:?}: {outcome:?}");
        fs::set_permissions(&path, before).unwrap();
    }
}

#[test]
fn dry_run_refuses_the_backup_folder_that_the_real_run_refuses() {
    let node = Node::new(KUBEADM);
    fs::create_dir(node.backups()).unwrap();
    fs::set_permissions(node.backups(), Permissions::from_mode(0o777)).unwrap();
    for args in [&["--dry-run"][..], &[]] {
        let outcome = node.run(args);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let advice = "`--undo` restores files from this folder: make it writable by root only";
        assert!(outcome.stderr.contains(advice), "{outcome:?}");
        assert_eq!(node.read_manifest(), KUBEADM);
    }
}

#[test]
fn unreadable_kubeconfig_is_not_reported_as_malformed() {
    if !geteuid().is_root() {
        return;
    }
    let node = Node::new(KUBEADM);
    let set =
        |path: PathBuf, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    set(node.folder(), 0o755);
    set(node.manifest(), 0o644);
    for mode in [0o755, 0o700] {
        set(node.webhook_folder(), mode);
        let mut command = Command::new("/bin/bash");
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        std::os::unix::process::CommandExt::gid(&mut command, 65534);
        // The user may lack the right to read the original script.
        let copy = node.folder().join("copy.sh");
        fs::copy(SCRIPT, &copy).unwrap();
        set(copy.clone(), 0o755);
        command
            .arg(&copy)
            .args(node.command(&copy, &["--dry-run"]).get_args().skip(1))
            .env_clear()
            .current_dir("/");
        let outcome = run(command);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(
            outcome.stderr.contains("cannot be read; run this as root"),
            "{outcome:?}"
        );
    }
}

#[test]
fn relative_paths_resolve_against_the_callers_folder() {
    let node = Node::new(KUBEADM);
    let mut command = Command::new(SCRIPT);
    command
        .args(["--manifest", "manifests/kube-apiserver.yaml"])
        .args(["--backup-dir", "backups", "--kubeconfig"])
        .arg(node.kubeconfig())
        .env_clear()
        .current_dir(node.folder());
    let outcome = run(command);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_ne!(node.read_manifest(), KUBEADM);
    assert_eq!(node.backups_ending(".before").len(), 1);
}

/// kube-apiserver can read the folder, but not the target of a link in it.
#[test]
fn symbolic_link_to_kubeconfig_is_refused() {
    let node = Node::new(KUBEADM);
    let elsewhere = node.folder().join("kubeconfig.yaml");
    fs::rename(node.kubeconfig(), &elsewhere).unwrap();
    symlink(&elsewhere, node.kubeconfig()).unwrap();
    let outcome = node.run(&[]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("is a link"), "{outcome:?}");
    assert_eq!(node.read_manifest(), KUBEADM);
}

/// The script clears the caller's environment before any program starts.
#[test]
fn child_programs_get_no_environment() {
    let node = Node::new(KUBEADM);
    let programs = crate::change::path_without_parser();
    let record = node.folder().join("record");
    let kubectl = programs.path().join("kubectl");
    let text = format!(
        "#!/bin/sh\n/usr/bin/env >>{}\nexec cat \"$4\"\n",
        record.display()
    );
    write_script(&kubectl, &text).unwrap();
    let outcome = node.run_armed(programs.path(), &["--dry-run"], |command| {
        command.env("CANARY", "1").env("BASH_FUNC_x%%", "() { :; }");
    });
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let environment = fs::read_to_string(record).unwrap();
    let names: std::collections::BTreeSet<&OsStr> = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| OsStr::new(name))
        .collect();
    let allowed = [
        "HOME",
        "KUBECONFIG",
        "LC_ALL",
        "OLDPWD",
        "PATH",
        "PWD",
        "SHLVL",
        "_",
    ];
    assert!(
        names
            .iter()
            .all(|name| allowed.iter().any(|allowed| name == allowed)),
        "{environment}"
    );
    assert!(
        environment.contains("\nPWD=/\n") || environment.starts_with("PWD=/\n"),
        "{environment}"
    );
}
