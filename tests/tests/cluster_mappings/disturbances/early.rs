//! Servers that start before the API server.

use std::collections::BTreeMap;

use serde_json::json;

use crate::fixture::ClusterFixture;
use crate::people::Person;
use crate::replica::{Login, Replica};

/// Servers that start before the API server.
pub struct Early {
    file_first: Replica,
    file_last: Replica,
    without_kubeconfig: Replica,
    in_file: Person,
    protected: Person,
}

impl Early {
    pub fn start(fixture: &mut ClusterFixture) -> Self {
        let [in_file, protected] = [fixture.person(), fixture.person()];
        let settings = |backends: &[&str]| {
            json!({
                "backendMode": backends,
                "mapUsers": [in_file.entry("in-file"), protected.entry("protected")],
                "protect": [protected.arn()],
            })
        };
        let mut later = settings(&["MountedFile", "CRD"]);
        later["kubeconfig"] = json!(fixture.folder.path().join("later.kubeconfig"));
        let early = Self {
            file_first: fixture.add_replica("file-first", &settings(&["MountedFile", "CRD"])),
            file_last: fixture.add_replica("file-last", &settings(&["CRD", "MountedFile"])),
            without_kubeconfig: fixture.add_replica("without-kubeconfig", &later),
            in_file,
            protected,
        };
        early.check_alone(fixture);
        early
    }

    fn check_alone(&self, fixture: &mut ClusterFixture) {
        let unmapped = fixture.person();
        let is_unavailable =
            |login| matches!(login, Login::Unavailable(why) if why.contains("CRD"));
        for replica in [&self.file_first, &self.without_kubeconfig] {
            assert_eq!(replica.login(self.in_file), Login::As("in-file".to_owned()));
            assert_eq!(
                replica.login(self.protected),
                Login::As("protected".to_owned())
            );
            assert!(is_unavailable(replica.login(unmapped)));
        }
        let last = &self.file_last;
        assert_eq!(
            last.login(self.protected),
            Login::As("protected".to_owned())
        );
        assert!(
            is_unavailable(last.login(self.in_file)),
            "{:?}",
            last.login(self.in_file)
        );
        assert!(is_unavailable(last.login(unmapped)));
        for replica in [&self.file_first, &self.file_last] {
            replica.wait_for_readyz(503, "[-]backend CRD failed: cannot read ");
        }
        let later = &self.without_kubeconfig;
        later.wait_for_readyz(503, "[-]backend CRD failed: the kubeconfig ");
    }

    /// Makes the API server available to all servers and checks their mappings.
    pub fn join(self, fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
        let kubeconfig = fixture.folder.path().join("later.kubeconfig");
        std::fs::copy(
            fixture
                .cluster
                .folder()
                .join("kubeconfig-server-without-kubeconfig.json"),
            kubeconfig,
        )
        .unwrap();
        // An object in a backend that precedes the file overrides the file, but not for a protected identity.
        for (person, username) in [(self.in_file, "taken"), (self.protected, "taken")] {
            fixture.map(person, username);
        }
        let marker = fixture.person();
        fixture.map(marker, "marker");
        for (replica, in_file) in [
            (&self.file_first, "in-file"),
            (&self.without_kubeconfig, "in-file"),
            (&self.file_last, "taken"),
        ] {
            replica.wait_for_login(marker, &Login::As("marker".to_owned()));
            replica.wait_for_readyz(200, "[+]backend CRD ok\n");
            assert_eq!(
                replica.login(self.protected),
                Login::As("protected".to_owned())
            );
            assert_eq!(replica.login(self.in_file), Login::As(in_file.to_owned()));
            for (person, username) in steady {
                let expected = match username.as_str() {
                    "steady-object" => Login::As(username.clone()),
                    _ => Login::Denied,
                };
                assert_eq!(replica.login(*person), expected, "{person:?}");
            }
        }
        fixture.unmap(self.in_file);
        fixture.unmap(self.protected);
        self.file_last
            .wait_for_login(self.in_file, &Login::As("in-file".to_owned()));
        fixture.proxies.truncate(fixture.replicas.len());
    }
}
