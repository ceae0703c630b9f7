//! `init`: what it leaves, and that it can be run again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::program::TestFolder;

#[test]
fn init_writes_three_files_and_prints_next_steps() {
    let folder = TestFolder::new(&[]);
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
    let kubeconfig = folder.read_file("ack-ram-authenticator.kubeconfig");
    assert!(kubeconfig.contains(&STANDARD.encode(folder.read_file("cert.pem"))));
}

#[test]
fn second_init_keeps_the_ca() {
    let folder = TestFolder::new(&[("config.yaml", "server: {port: 6443}\n")]);
    folder.run(&["init"], &[]).printed();
    let first = folder.tree();
    let printed = folder.run(&["init"], &[]).printed();
    assert!(printed.contains("cert.pem (kept)"), "{printed}");
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
fn unwritable_file_is_named() {
    let folder = TestFolder::new(&[]);
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

#[test]
fn client_cert_option_writes_certificate_of_a_client_ca() {
    let folder = TestFolder::new(&[]);
    let printed = folder.run(&["init", "--client-cert"], &[]).printed();
    for part in [
        "client-ca.pem (new): the certificate authority of clients",
        "client-ca-key.pem (new): its private key; show it to nobody",
        "sudo install -m 600 cert.pem key.pem client-ca.pem /var/ack-ram-authenticator",
        "let kube-apiserver start again with the kubeconfig first",
    ] {
        assert!(printed.contains(part), "no `{part}`: {printed}");
    }
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

    // Once it is there, it is used whatever the command line says, and nothing that is good is replaced.
    for args in [&["init"][..], &["init", "--client-cert"]] {
        let printed = folder.run(args, &[]).printed();
        assert!(printed.contains("client-ca.pem (kept)"), "{printed}");
        assert_eq!(folder.tree(), first);
    }

    // What a crash leaves between the files is no hurdle; what somebody lost is one.
    let rename = |from: &str, to: &str| {
        std::fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    };
    rename("client-ca.pem", ".client-ca.pem.new");
    let run = folder.run(&["init"], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("but no `./client-ca.pem`"), "{run:?}");
    folder.run(&["init", "--client-cert"], &[]).printed();
    assert_eq!(folder.tree(), first);
    rename("client-ca.pem", "elsewhere.pem");
    let run = folder.run(&["init", "--client-cert"], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
}

#[test]
fn provided_pair_pins_its_ca_and_makes_none() {
    let folder = TestFolder::new(&[(
        "config.yaml",
        "server: {tls: {certFile: cert.pem, keyFile: key.pem, caFile: ca.pem}}\n",
    )]);
    let args = ["init", "-c", "config.yaml"];
    let run = folder.run(&args, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("cannot read `cert.pem`"), "{run:?}");

    folder.run(&["init"], &[]).printed();
    std::fs::copy(folder.path().join("cert.pem"), folder.path().join("ca.pem")).unwrap();
    std::fs::remove_file(folder.path().join("ack-ram-authenticator.kubeconfig")).unwrap();
    let printed = folder.run(&args, &[]).printed();
    assert!(!printed.contains("cert.pem"), "{printed}");
    assert!(printed.contains("1. Copy the kubeconfig"), "{printed}");
    let kubeconfig = folder.read_file("ack-ram-authenticator.kubeconfig");
    assert!(kubeconfig.contains(&STANDARD.encode(folder.read_file("ca.pem"))));
}

#[test]
fn key_writable_by_others_is_refused() {
    let folder = TestFolder::new(&[]);
    folder.run(&["init"], &[]).printed();
    let key = folder.path().join("key.pem");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(key, mode).unwrap();
    let before = folder.tree();
    let run = folder.run(&["init"], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("has mode 0666"), "{run:?}");
    assert_eq!(folder.tree(), before);
}
