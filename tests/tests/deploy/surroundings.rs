//! The script runs as root: nothing of its surroundings runs with it, and nothing that another user may write decides.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::node::{KUBEADM, Node, SCRIPT, run};

/// A folder of an attacker. Every program and module in it leaves a mark when it runs.
struct Trap {
    folder: TempDir,
}

impl Trap {
    fn new() -> Self {
        let trap = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let marker = trap.marker();
        for module in ["yaml.py", "sys.py", "sitecustomize.py", "usercustomize.py"] {
            let text = format!("open({marker:?}, 'a').write({module:?})\n");
            fs::write(trap.path(module), text).unwrap();
        }
        for program in [
            "awk", "bash", "cat", "cp", "diff", "env", "grep", "kubectl", "mktemp", "python3",
            "readlink", "sed", "stat",
        ] {
            let path = trap.path(program);
            let text = format!("#!/bin/sh\necho {program} >>{}\nexit 1\n", marker.display());
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(trap.path(".kube")).unwrap();
        for file in ["kuberc", "config"] {
            fs::write(trap.path(".kube").join(file), "not: [yaml").unwrap();
        }
        trap
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn marker(&self) -> PathBuf {
        self.path("ran")
    }

    /// Everything in the environment that makes a program run something else, or do it in another way.
    fn arm(&self, command: &mut Command) {
        let folder = self.folder.path();
        let ran = format!("echo ran >>{}", self.marker().display());
        for name in [
            "PATH",
            "HOME",
            "TMPDIR",
            "CDPATH",
            "PYTHONPATH",
            "PYTHONHOME",
            "PYTHONUSERBASE",
            "AWKPATH",
            "AWKLIBPATH",
            "LD_LIBRARY_PATH",
        ] {
            command.env(name, folder);
        }
        for (name, value) in [
            ("KUBECONFIG", ".kube/config"),
            ("KUBERC", ".kube/kuberc"),
            ("GREP_OPTIONS", "--invert-match"),
            ("IFS", "/"),
            ("GLOBIGNORE", "*"),
            ("LC_ALL", "tr_TR.UTF-8"),
            ("manifest", "/no/such/manifest"),
            ("work", "/no/such/folder"),
        ] {
            command.env(name, value);
        }
        command.env("PYTHONSTARTUP", self.path("yaml.py"));
        for name in [
            "awk", "bash", "builtin", "cat", "cd", "command", "compgen", "exec", "exit", "fail",
            "mktemp", "printf", "pwd", "read", "set", "shift", "trap", "umask", "unset", "usage",
        ] {
            command.env(format!("BASH_FUNC_{name}%%"), format!("() {{ {ran}; }}"));
        }
        command.current_dir(folder);
    }

    /// What Bash takes from its environment before it reads the first line, unless the script names its interpreter and
    /// forbids that.
    fn arm_interpreter(&self, command: &mut Command) {
        let ran = format!("echo ran >>{}", self.marker().display());
        let file = self.path("bash_env");
        fs::write(&file, format!("{ran}\n")).unwrap();
        command
            .env("BASH_ENV", &file)
            .env("ENV", &file)
            .env("SHELLOPTS", "xtrace:noglob:noexec")
            .env("BASHOPTS", "extdebug:failglob")
            .env("PS4", format!("$({ran})"))
            .env("POSIXLY_CORRECT", "1");
    }

    #[track_caller]
    fn assert_nothing_ran(&self) {
        let ran = fs::read_to_string(self.marker()).unwrap_or_default();
        assert_eq!(ran, "");
    }
}

/// As people start the script: by its name, or with Bash.
fn ways(node: &Node, args: &[&str]) -> [Command; 2] {
    let with_bash = node.command(Path::new(SCRIPT), args);
    let mut by_name = Command::new(SCRIPT);
    by_name.env_clear().args(with_bash.get_args().skip(1));
    let mut bash = Command::new("/bin/bash");
    bash.env_clear().args(with_bash.get_args());
    [by_name, bash]
}

#[test]
fn environment_neither_runs_nor_changes_anything() {
    for way in [0, 1] {
        let node = Node::new(KUBEADM);
        let wanted = {
            let other = Node::new(KUBEADM);
            other.run_well(&[]);
            let path = |node: &Node| node.webhook_folder().to_string_lossy().into_owned();
            other.read_manifest().replace(&path(&other), &path(&node))
        };
        let trap = Trap::new();
        for (args, expected) in [
            (&["--dry-run"][..], KUBEADM),
            (&[], &wanted),
            (&["--undo"], KUBEADM),
        ] {
            let mut command = ways(&node, args).into_iter().nth(way).unwrap();
            trap.arm(&mut command);
            if way == 0 {
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

/// Where there is no kubectl, Python reads the manifest: not with modules of the current folder.
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
    fs::write(&python, text).unwrap();
    fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
    let run = |args: &[&str]| {
        let outcome = node.run_armed(programs.path(), args, |command| trap.arm(command));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        trap.assert_nothing_ran();
    };
    run(&["--dry-run"]);
    // The same with a real one, on machines that have it.
    let real = Path::new("/usr/bin/python3");
    if real.exists() {
        fs::remove_file(&python).unwrap();
        symlink(real, &python).unwrap();
        run(&["--dry-run"]);
        run(&[]);
    }
}

/// Root imports nothing that another user may have written.
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
    let end = script.find("\n# ---- What it does").unwrap();
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
        // The script itself may be where that user cannot read it.
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

#[test]
fn file_writable_by_another_user_is_refused_with_fix() {
    type Place = fn(&Node) -> PathBuf;
    let cases: &[(Place, u32, &str)] = &[
        (Node::manifests, 0o777, "chmod go-w"),
        (Node::manifests, 0o1777, "chmod go-w"),
        (Node::manifests, 0o775, "chmod go-w"),
        (Node::manifest, 0o666, "chmod go-w"),
        (Node::webhook_folder, 0o777, "chmod go-w"),
        (Node::webhook_folder, 0o1777, "chmod go-w"),
        (Node::kubeconfig, 0o622, "chmod go-w"),
        // The folder above all of them.
        (Node::folder, 0o777, "chmod go-w"),
    ];
    for &(place, mode, says) in cases {
        let node = Node::new(KUBEADM);
        let path = place(&node);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let outcome = node.run(&[]);
        let said = format!("{} has mode {mode:o}", path.display());
        assert_eq!(outcome.code, Some(1), "{said}: {outcome:?}");
        assert!(
            outcome.stderr.contains(&said) && outcome.stderr.contains(says),
            "{said}: {outcome:?}"
        );
        assert_eq!(node.read_manifest(), KUBEADM);
        assert!(!node.backups().exists());
    }
}

/// Only root may give files away.
#[test]
fn file_owned_by_another_user_is_refused_outside_two_folders() {
    if !geteuid().is_root() {
        return;
    }
    type Place = fn(&Node) -> PathBuf;
    let places: [(Place, bool); 4] = [
        (Node::manifests, true),
        (Node::manifest, false),
        (Node::kubeconfig, false),
        (Node::webhook_folder, true),
    ];
    for (place, is_taken) in places {
        let node = Node::new(KUBEADM);
        chown(place(&node), Some(65534), None).unwrap();
        let outcome = node.run(&["--dry-run"]);
        let expected = if is_taken { Some(0) } else { Some(1) };
        assert_eq!(outcome.code, expected, "{outcome:?}");
        let said = "belongs to uid 65534, who may change it";
        assert_eq!(outcome.stderr.contains(said), !is_taken, "{outcome:?}");
    }
    // A webhook with a user of its own.
    let node = Node::new(KUBEADM);
    chown(node.webhook_folder(), Some(65534), None).unwrap();
    chown(node.kubeconfig(), Some(65534), None).unwrap();
    node.run_well(&["--dry-run"]);
}

/// Kubespray gives `/etc/kubernetes` and the folder of static pods to a user, who starts pods as root anyway.
#[test]
fn owner_of_the_manifests_folder_is_trusted() {
    if !geteuid().is_root() {
        return;
    }
    type Places = fn(&Node) -> Vec<PathBuf>;
    let cases: [(Places, bool); 5] = [
        (|node| vec![node.folder(), node.manifests()], true),
        (
            |node| vec![node.folder(), node.manifests(), node.manifest()],
            true,
        ),
        (
            |node| {
                vec![
                    node.folder(),
                    node.manifests(),
                    node.webhook_folder(),
                    node.kubeconfig(),
                ]
            },
            true,
        ),
        // The folder above, but not that of the static pods: a user who has nothing to do with them.
        (|node| vec![node.folder()], false),
        (|node| vec![node.folder(), node.manifest()], false),
    ];
    for (places, is_taken) in cases {
        let node = Node::new(KUBEADM);
        for place in places(&node) {
            chown(place, Some(65534), None).unwrap();
        }
        let outcome = node.run(&[]);
        if !is_taken {
            let said = "belongs to uid 65534, who may change it";
            assert_eq!(outcome.code, Some(1), "{outcome:?}");
            assert!(outcome.stderr.contains(said), "{outcome:?}");
            assert_eq!(node.read_manifest(), KUBEADM);
            continue;
        }
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_ne!(node.read_manifest(), KUBEADM);
        chown(node.backups(), Some(65534), None).unwrap();
        let outcome = node.run(&["--undo"]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(!outcome.stderr.contains("warning:"), "{outcome:?}");
        assert_eq!(node.read_manifest(), KUBEADM);
        // A third user is not.
        chown(node.backups(), Some(65533), None).unwrap();
        for args in [&[][..], &["--undo"]] {
            let outcome = node.run(args);
            let said = "belongs to uid 65533, who may change it";
            assert_eq!(outcome.code, Some(1), "{outcome:?}");
            assert!(outcome.stderr.contains(said), "{outcome:?}");
            assert_eq!(node.read_manifest(), KUBEADM);
        }
    }
}

/// It is used while kube-apiserver is down.
#[test]
fn undo_only_warns_about_the_folders_of_the_manifest() {
    type Place = fn(&Node) -> PathBuf;
    let cases: [(Place, u32, u32); 4] = [
        (Node::manifests, 0o775, 0),
        (Node::manifests, 0o777, 0),
        (Node::manifest, 0o660, 0),
        (Node::manifest, 0o640, 65534),
    ];
    for (place, mode, owner) in cases {
        let node = Node::new(KUBEADM);
        // Apart from the manifest's own folders.
        let elsewhere = tempfile::tempdir().unwrap();
        let backups = elsewhere.path().join("backups");
        let option = ["--backup-dir", backups.to_str().unwrap()];
        node.run_well(&option);
        let changed = node.read_manifest();
        let path = place(&node);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        if owner != 0 {
            if !geteuid().is_root() {
                continue;
            }
            chown(&path, Some(owner), None).unwrap();
        }
        let outcome = node.run(&option);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert_eq!(node.read_manifest(), changed);
        let outcome = node.run(&["--undo", option[0], option[1]]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let warning = format!("warning: {} ", path.display());
        assert!(outcome.stderr.contains(&warning), "{outcome:?}");
        assert!(outcome.stderr.contains("`--undo` goes on"), "{outcome:?}");
        assert_eq!(node.read_manifest(), KUBEADM);
    }
    // A folder further up.
    let node = Node::new(KUBEADM);
    let elsewhere = tempfile::tempdir().unwrap();
    let backups = elsewhere.path().join("backups");
    let option = ["--backup-dir", backups.to_str().unwrap()];
    node.run_well(&option);
    fs::set_permissions(node.folder(), Permissions::from_mode(0o770)).unwrap();
    let outcome = node.run(&["--undo", option[0], option[1]]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("chmod go-w"), "{outcome:?}");
    assert_eq!(node.read_manifest(), KUBEADM);
    // The backups above which others may write are still not used.
    let node = Node::new(KUBEADM);
    node.run_well(&[]);
    let changed = node.read_manifest();
    fs::set_permissions(node.folder(), Permissions::from_mode(0o770)).unwrap();
    let outcome = node.run(&["--undo"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(node.read_manifest(), changed);
}

#[test]
fn backups_writable_by_other_users_are_not_used() {
    let node = Node::new(KUBEADM);
    for mode in [0o777, 0o1777] {
        fs::create_dir_all(node.backups()).unwrap();
        fs::set_permissions(node.backups(), Permissions::from_mode(mode)).unwrap();
        for args in [&[][..], &["--undo"]] {
            let outcome = node.run(args);
            assert_eq!(outcome.code, Some(1), "{outcome:?}");
            assert!(outcome.stderr.contains("chmod go-w"), "{outcome:?}");
            assert_eq!(node.read_manifest(), KUBEADM);
        }
    }
    fs::remove_dir_all(node.backups()).unwrap();

    node.run_well(&[]);
    let changed = node.read_manifest();
    let [before] = &node.backups_ending(".before")[..] else {
        panic!("{:?}", node.backups_ending(""));
    };
    let good = fs::read_to_string(before).unwrap();
    let planted = node.folder().join("planted");
    fs::write(&planted, "kind: Pod\n").unwrap();
    fs::remove_file(before).unwrap();
    symlink(&planted, before).unwrap();
    let outcome = node.run(&["--undo"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("is a link"), "{outcome:?}");
    assert_eq!(node.read_manifest(), changed);
    fs::remove_file(before).unwrap();
    fs::write(before, &good).unwrap();
    fs::set_permissions(before, Permissions::from_mode(0o666)).unwrap();
    let outcome = node.run(&["--undo"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(node.read_manifest(), changed);
    fs::set_permissions(before, Permissions::from_mode(0o640)).unwrap();
    node.run_well(&["--undo"]);
    assert_eq!(node.read_manifest(), KUBEADM);
}

/// kube-apiserver gets to see the folder, and not where a link in it leads.
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

/// What the caller has is gone before any program starts.
#[test]
fn child_programs_get_no_environment() {
    let node = Node::new(KUBEADM);
    let programs = crate::change::path_without_parser();
    let seen = node.folder().join("seen");
    let kubectl = programs.path().join("kubectl");
    let text = format!(
        "#!/bin/sh\n/usr/bin/env >>{}\nexec cat \"$4\"\n",
        seen.display()
    );
    fs::write(&kubectl, text).unwrap();
    fs::set_permissions(&kubectl, Permissions::from_mode(0o755)).unwrap();
    let outcome = node.run_armed(programs.path(), &["--dry-run"], |command| {
        command.env("CANARY", "1").env("BASH_FUNC_x%%", "() { :; }");
    });
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let seen = fs::read_to_string(seen).unwrap();
    let names: std::collections::BTreeSet<&OsStr> = seen
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
        "{seen}"
    );
    assert!(
        seen.contains("\nPWD=/\n") || seen.starts_with("PWD=/\n"),
        "{seen}"
    );
}
