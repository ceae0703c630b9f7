//! `init`: the files and the next steps.

use std::fs;

use super::Transcript;
use crate::program::TestFolder;

fn rename(folder: &TestFolder, from: &str, to: &str) {
    fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
}

#[test]
fn init_prints_new_and_kept_files() {
    let mut transcript = Transcript::new();
    let folder = TestFolder::new(&[
        ("config.yaml", "server: {port: 6443}\n"),
        (
            "mine.yaml",
            "server: {stateDir: STATE, generateKubeconfig: /other/webhook.yaml}\n",
        ),
        (
            "here.yaml",
            "server: {stateDir: ., kubeconfigPregenerated: true}\n",
        ),
        (
            "required.yaml",
            "server: {requireClientCertificate: true}\n",
        ),
    ]);
    for args in [
        &[][..],
        &[],
        &["-c", "config.yaml", "--hostname", "webhook.example"],
        &["--hostname", "webhook.example", "--address", "10.0.0.1"],
        &["-c", "mine.yaml"],
        &["-c", "here.yaml"],
        &["--client-cert"],
        &["--client-cert"],
        &[],
        &["-c", "required.yaml"],
    ] {
        transcript.run(&folder, &[&["init"], args].concat(), &[]);
    }
    let folder = TestFolder::new(&[(
        "required.yaml",
        "server: {requireClientCertificate: true}\n",
    )]);
    transcript.run(&folder, &["init", "-c", "required.yaml"], &[]);
    transcript.check("init");
}

#[test]
fn init_fails_on_missing_or_unwritable_files() {
    let mut transcript = Transcript::new();
    let mut case = |title: &str, args: &[&str], change: &dyn Fn(&TestFolder)| {
        let folder = TestFolder::new(&[
            (
                "config.yaml",
                "server: {tls: {certFile: own.pem, keyFile: own-key.pem, caFile: ca.pem}}\n",
            ),
            (
                "odd.yaml",
                "clusterID: c1\ncolor: blue\nserver:\n  mapRoles:\n  bind: 0.0.0.0\n",
            ),
            ("zero.yaml", "server: {port: 0}\n"),
        ]);
        folder.run(&["init", "--client-cert"], &[]).printed();
        change(&folder);
        transcript.heading(title);
        transcript.run(&folder, &[&["init"], args].concat(), &[]);
        folder.set_mode(".", 0o700);
    };
    let remove =
        |folder: &TestFolder, name: &str| fs::remove_file(folder.path().join(name)).unwrap();
    let copy = |folder: &TestFolder, from: &str, to: &str| {
        fs::copy(folder.path().join(from), folder.path().join(to)).unwrap();
    };
    case("no key", &[], &|folder| remove(folder, "key.pem"));
    case("no certificate", &[], &|folder| remove(folder, "cert.pem"));
    case("no client CA", &[], &|folder| {
        remove(folder, "client-ca.pem")
    });
    case("no key of the client CA", &[], &|folder| {
        remove(folder, "client-ca-key.pem")
    });
    case(
        "no key of the client CA, and no kubeconfig",
        &[],
        &|folder| {
            remove(folder, "client-ca-key.pem");
            remove(folder, "ack-ram-authenticator.kubeconfig");
        },
    );
    case("a crash between two files", &["--client-cert"], &|folder| {
        rename(folder, "client-ca.pem", ".client-ca.pem.new");
    });
    case("a folder where the kubeconfig belongs", &[], &|folder| {
        remove(folder, "ack-ram-authenticator.kubeconfig");
        fs::create_dir(folder.path().join("ack-ram-authenticator.kubeconfig")).unwrap();
    });
    case("an invalid kubeconfig", &[], &|folder| {
        fs::write(
            folder.path().join("ack-ram-authenticator.kubeconfig"),
            "a: [",
        )
        .unwrap();
    });
    case("a key that others may write", &[], &|folder| {
        folder.set_mode("key.pem", 0o666)
    });
    case("a folder that others may write", &[], &|folder| {
        folder.set_mode(".", 0o777)
    });
    case("a missing provided pair", &["-c", "config.yaml"], &|_| {});
    case("a provided pair", &["-c", "config.yaml"], &|folder| {
        copy(folder, "cert.pem", "own.pem");
        copy(folder, "cert.pem", "ca.pem");
        copy(folder, "key.pem", "own-key.pem");
    });
    case("suspicious settings", &["-c", "odd.yaml"], &|_| {});
    case("no port", &["-c", "zero.yaml"], &|_| {});
    let folder = TestFolder::new(&[]);
    let filter = [("ACK_RAM_AUTHENTICATOR_LOG", "hyper=loud")];
    transcript.run(&folder, &["init"], &filter);
    transcript.check("init_refused");
}
