//! Programs, modules, and variables of an attacker, each of which leaves a mark when it is used.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A folder of an attacker. Every program and module in it leaves a mark when it runs.
pub(super) struct Trap {
    folder: TempDir,
}

impl Trap {
    pub(super) fn new() -> Self {
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

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn marker(&self) -> PathBuf {
        self.path("ran")
    }

    /// Sets all environment variables that make a program run other code or behave differently.
    pub(super) fn arm(&self, command: &mut Command) {
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

    /// Sets the variables that Bash evaluates before the first line of a script, unless the first line names the
    /// interpreter with an option that prevents it.
    pub(super) fn arm_interpreter(&self, command: &mut Command) {
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
    pub(super) fn assert_nothing_ran(&self) {
        let ran = fs::read_to_string(self.marker()).unwrap_or_default();
        assert_eq!(ran, "");
    }
}
