//! `init`: the files, and repeated runs. `snapshots/init.rs` pins the texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::program::TestFolder;

#[test]
fn init_writes_three_files_with_private_modes() {
    let folder = TestFolder::new(&[]);
    folder.run(&["init"], &[]).printed();
    assert_eq!(folder.tree().len(), 3, "{:?}", folder.tree().keys());
    assert_eq!(folder.mode("key.pem"), 0o600);
    assert_eq!(folder.mode("ack-ram-authenticator.kubeconfig"), 0o600);
    let kubeconfig = folder.read_file("ack-ram-authenticator.kubeconfig");
    assert!(kubeconfig.contains(&STANDARD.encode(folder.read_file("cert.pem"))));
}

#[test]
fn second_init_keeps_the_ca() {
    let folder = TestFolder::new(&[("config.yaml", "server: {port: 6443}\n")]);
    folder.run(&["init"], &[]).printed();
    let first = folder.tree();
    folder.run(&["init"], &[]).printed();
    assert_eq!(folder.tree(), first);

    let pair = [folder.read_file("cert.pem"), folder.read_file("key.pem")];
    let args = ["init", "-c", "config.yaml", "--hostname", "webhook.example"];
    folder.run(&args, &[]).printed();
    assert_eq!(
        [folder.read_file("cert.pem"), folder.read_file("key.pem")],
        pair
    );
    let kubeconfig = folder.read_file("ack-ram-authenticator.kubeconfig");
    assert!(
        kubeconfig.contains("server: https://webhook.example:6443/authenticate"),
        "{kubeconfig}"
    );
}

#[test]
fn client_cert_option_creates_client_ca_and_certificate() {
    let folder = TestFolder::new(&[]);
    let printed = folder.run(&["init", "--client-cert"], &[]).printed();
    let first = folder.tree();
    assert_eq!(first.len(), 5, "{:?}", first.keys());
    for name in [
        "key.pem",
        "client-ca-key.pem",
        "ack-ram-authenticator.kubeconfig",
    ] {
        assert_eq!(folder.mode(name), 0o600, "{name}");
    }
    let kubeconfig = folder.read_file("ack-ram-authenticator.kubeconfig");
    assert!(kubeconfig.contains("client-certificate-data: "));
    assert!(kubeconfig.contains("client-key-data: "));
    let key = folder.read_file("client-ca-key.pem");
    assert!(!kubeconfig.contains(&STANDARD.encode(&key)));
    assert!(!printed.contains("PRIVATE"), "{printed}");

    // An existing client CA is used with any command line, and valid files are not replaced.
    for args in [&["init"][..], &["init", "--client-cert"]] {
        folder.run(args, &[]).printed();
        assert_eq!(folder.tree(), first);
    }

    // `init` recovers from a crash between two files, but fails if a file is missing.
    let rename = |from: &str, to: &str| {
        std::fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    };
    rename("client-ca.pem", ".client-ca.pem.new");
    let run = folder.run(&["init"], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    folder.run(&["init", "--client-cert"], &[]).printed();
    assert_eq!(folder.tree(), first);
    rename("client-ca.pem", "elsewhere.pem");
    let run = folder.run(&["init", "--client-cert"], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
}

#[test]
fn provided_pair_pins_its_ca_and_creates_none() {
    let folder = TestFolder::new(&[(
        "config.yaml",
        "server: {tls: {certFile: cert.pem, keyFile: key.pem, caFile: ca.pem}}\n",
    )]);
    folder.run(&["init"], &[]).printed();
    std::fs::copy(folder.path().join("cert.pem"), folder.path().join("ca.pem")).unwrap();
    std::fs::remove_file(folder.path().join("ack-ram-authenticator.kubeconfig")).unwrap();
    let printed = folder.run(&["init", "-c", "config.yaml"], &[]).printed();
    assert!(!printed.contains("cert.pem"), "{printed}");
    assert!(printed.contains("1. Copy the kubeconfig"), "{printed}");
    let kubeconfig = folder.read_file("ack-ram-authenticator.kubeconfig");
    assert!(kubeconfig.contains(&STANDARD.encode(folder.read_file("ca.pem"))));
}

#[test]
fn refused_key_changes_no_file() {
    let folder = TestFolder::new(&[]);
    folder.run(&["init"], &[]).printed();
    folder.set_mode("key.pem", 0o666);
    let before = folder.tree();
    let run = folder.run(&["init"], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(folder.tree(), before);
}
