//! `whoami` and `doctor`.

use ack_ram_tests::sts::demo;

use super::Transcript;
use crate::whoami::{CONFIG, LoginFixture, PROFILES};

fn transcript(fixture: &LoginFixture) -> Transcript {
    let mut transcript = Transcript::new();
    transcript.hide("after [0-9]+ ms", "after <time> ms");
    transcript.hide("differ by [0-9]+ s", "differ by <time> s");
    transcript.hide("has [0-9]+ bytes", "has <size> bytes");
    transcript.hide("STS[.][A-Za-z0-9]+", "STS.<id>");
    transcript.replace(&fixture.sts.endpoint(), "<sts>");
    transcript.replace(env!("CARGO_BIN_EXE_ack-ram-authenticator"), "<program>");
    transcript.hide_secret(demo::user_key().secret.expose(), "<secret>");
    transcript
}

/// Returns a command line with a profile.
fn line<'a>(args: &[&'a str], profile: &'a str, url: &'a str) -> Vec<&'a str> {
    let options = ["--profile-file", "profiles.json", "--profile-name", profile];
    [args, &options, &["--sts-endpoint", url]].concat()
}

#[test]
fn whoami_shows_identity_and_user() {
    let fixture = LoginFixture::start();
    let mut transcript = transcript(&fixture);
    transcript.file("profiles.json", PROFILES);
    transcript.file("config.yaml", CONFIG);
    let url = fixture.sts.url();
    for (args, profile) in [
        (&["whoami"][..], "key"),
        (&["whoami", "-o", "json"], "role"),
        (&["whoami", "-c", "config.yaml"], "key"),
        (&["whoami", "-c", "config.yaml", "-o", "json"], "key"),
        (&["whoami", "-c", "config.yaml"], "role"),
    ] {
        transcript.run(&fixture.folder, &line(args, profile, &url), &[]);
    }
    fixture.sts.disable_key(&demo::user_key().id);
    transcript.heading("a disabled key");
    transcript.run(&fixture.folder, &line(&["whoami"], "key", &url), &[]);
    transcript.check("whoami");
}

#[test]
fn doctor_shows_sections_and_remedies() {
    let fixture = LoginFixture::start();
    let mut transcript = transcript(&fixture);
    let program = env!("CARGO_BIN_EXE_ack-ram-authenticator");
    let kubeconfig = format!(
        "\
current-context: dev
contexts:
- {{name: dev, context: {{cluster: c, user: dev}}}}
- {{name: old, context: {{cluster: c, user: old}}}}
users:
- name: dev
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      interactiveMode: Never
      command: {program}
      args: [token, -i, c1, --profile-file, profiles.json, --profile-name, key]
- name: old
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1alpha1
      command: ack-ram-tool
      args: [credential-plugin, get-token, --cluster-id, c1]
"
    );
    let path = fixture.folder.path().join("kubeconfig");
    std::fs::write(path, &kubeconfig).unwrap();
    transcript.file("profiles.json", PROFILES);
    transcript.file("kubeconfig", &kubeconfig);
    let url = fixture.sts.url();
    let env = [("KUBECONFIG", "kubeconfig"), ("PATH", "/nowhere")];
    let role = line(&["doctor", "-i", "c1"], "role", &url);
    transcript.run(&fixture.folder, &role, &env);
    let json = line(
        &["doctor", "-i", "c1", "-o", "json", "--no-cache"],
        "key",
        &url,
    );
    transcript.run(&fixture.folder, &json, &env);
    transcript.heading("a configuration file that is wrong");
    std::fs::write(fixture.folder.path().join("wrong.yaml"), "clusterID: [\n").unwrap();
    let wrong = line(&["doctor", "-c", "wrong.yaml"], "key", &url);
    transcript.run(&fixture.folder, &wrong, &env);
    transcript.heading("variables");
    let key = demo::user_key();
    let env = [
        ("ALICLOUD_ACCESS_KEY", key.id.as_str()),
        ("ACCESS_KEY_SECRET", key.secret.expose()),
        ("ACCESS_KEY_ID", "other"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/token"),
        ("ALIBABA_CLOUD_STS_ENDPOINT", &url),
        ("HTTPS_PROXY", "http://user:SECRET@proxy.example"),
        ("https_proxy", "http://other.example"),
    ];
    transcript.run(&fixture.folder, &["doctor"], &env);
    transcript.heading("nothing is configured");
    transcript.run(&fixture.folder, &["doctor"], &[]);
    transcript.heading("a disabled key");
    fixture.sts.disable_key(&key.id);
    let args = line(&["doctor", "--no-cache"], "role", &url);
    transcript.run(&fixture.folder, &args, &[]);
    transcript.check("doctor");
}
