//! `init`: what it leaves, and that it can be run again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::program::Folder;

#[test]
fn init_leaves_three_files_and_says_what_comes_next() {
    let folder = Folder::new(&[]);
    let printed = folder.run(&["init"], &[]).printed();
    for part in [
        "cert.pem (new)",
        "key.pem (new)",
        "https://localhost:21362/authenticate",
        "--authentication-token-webhook-config-file=",
        "/var/ack-ram-authenticator",
    ] {
        assert!(printed.contains(part), "no `{part}`: {printed}");
    }
    assert_eq!(folder.tree().len(), 3, "{:?}", folder.tree().keys());
    assert_eq!(folder.mode("key.pem"), 0o600);
    assert_eq!(folder.mode("ack-ram-authenticator.kubeconfig"), 0o600);
    let kubeconfig = folder.read("ack-ram-authenticator.kubeconfig");
    assert!(kubeconfig.contains(&STANDARD.encode(folder.read("cert.pem"))));
}

#[test]
fn a_second_time_the_authority_is_kept() {
    let folder = Folder::new(&[("config.yaml", "server: {port: 6443}\n")]);
    folder.run(&["init"], &[]).printed();
    let first = folder.tree();
    let printed = folder.run(&["init"], &[]).printed();
    assert!(printed.contains("cert.pem (kept)"), "{printed}");
    assert_eq!(folder.tree(), first);

    let pair = [folder.read("cert.pem"), folder.read("key.pem")];
    let args = ["init", "-c", "config.yaml", "--hostname", "webhook.example"];
    folder.run(&args, &[]).printed();
    assert_eq!([folder.read("cert.pem"), folder.read("key.pem")], pair);
    let kubeconfig = folder.read("ack-ram-authenticator.kubeconfig");
    assert!(
        kubeconfig.contains("server: https://webhook.example:6443/authenticate"),
        "{kubeconfig}"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = Folder::new(&[]);
    std::fs::create_dir(folder.path().join("ack-ram-authenticator.kubeconfig")).unwrap();
    let run = folder.run(&["init"], &[]);
    assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:?}");
    for part in [
        "error: cannot write `ack-ram-authenticator.kubeconfig`",
        "run `init` in a folder where you may write",
    ] {
        assert!(run.stderr.contains(part), "{run:?}");
    }
}
