use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ack_ram_analysis::placeholder;
use ack_ram_core::arn::Arn;
use ack_ram_core::time::UnixTime;
use tempfile::TempDir;

use super::*;
use crate::backends;
use crate::backends::document_source::ignore_reloads;
use crate::config::Overrides;

const START: &str = "\
clusterID: c
server:
  backendMode: [MountedFile, CRD, DynamicFile]
  dynamicFilePath: /d.json
  mapRoles:
  - {roleARN: acs:ram::1:role/a, username: a}
  - {roleARN: acs:ram::1:role/broken, username: '{{'}
";

struct MountedFileFixture {
    folder: TempDir,
    live: Arc<LiveRules>,
    file: Arc<MountedFile>,
    /// `server.sts.timeout` in seconds of each applied configuration.
    applied: Arc<Mutex<Vec<u64>>>,
}

impl MountedFileFixture {
    fn new(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(&path, yaml).unwrap();
        let clock = || UnixTime::from_seconds(7);
        let overrides = Overrides {
            port: Some(1),
            ..Overrides::default()
        };
        let mut config = config::load(&ConfigSources {
            file: Some(ConfigFile::Path(&path)),
            overrides: &overrides,
            variables: &|_| None,
        })
        .unwrap();
        let live = Arc::new(LiveRules::new(backends::load(&config), clock()));
        let inputs = Inputs {
            file: Some(path),
            overrides,
            variables: |_| None,
        };
        let applied = Arc::new(Mutex::new(Vec::new()));
        let timeouts = Arc::clone(&applied);
        let apply = Box::new(move |config: &Config| {
            let timeout = config.sts.limits.timeout;
            timeouts.lock().push(timeout.as_secs());
        });
        let file = MountedFile::start(
            &mut config,
            inputs,
            Arc::clone(&live),
            clock,
            ignore_reloads(),
            apply,
        );
        Self {
            folder,
            live,
            file,
            applied,
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("config.yaml")
    }

    fn edit(&self, yaml: &str) -> Reloaded {
        fs::write(self.path(), yaml).unwrap();
        self.file.reload()
    }

    /// Returns the user that `role` is mapped to, or the reason why there is none.
    fn user(&self, role: &str) -> String {
        let arn = Arn::parse(&format!("acs:ram::1:role/{role}")).unwrap();
        let (_, user) = self
            .live
            .snapshot()
            .explain(&placeholder::identity_for_arn(arn).unwrap());
        match user {
            Ok(user) => format!("{} {}", user.username, user.extra.len()),
            Err(why) => format!("{why:?}"),
        }
    }

    fn trouble(&self) -> Option<String> {
        let troubles = self.live.inspect(|rules, notes| {
            (rules.backend() == Backend::MountedFile).then(|| notes.trouble.clone())
        });
        troubles.into_iter().flatten().next().unwrap()
    }
}

#[test]
fn mappings_and_settings_change_together_or_need_restart() {
    let fixture = MountedFileFixture::new(START);
    assert_eq!(fixture.user("a"), "a 3");
    assert!(fixture.user("b").contains("NotReady"));
    let edited = START.replace("role/a, username: a", "role/b, username: b")
        + "  protect: ['acs:ram::1:role/b']\n  scrubbedAccounts: ['1']\n";
    let applied = Reloaded::Applied {
        needs_restart: Vec::new(),
    };
    assert_eq!(fixture.edit(&edited), applied);
    assert_eq!(fixture.user("b"), "b 0", "its account is scrubbed");
    assert!(fixture.user("a").contains("NotReady"));
    assert_eq!(fixture.edit(&edited), Reloaded::Unchanged);

    let reserved = edited.clone()
        + "  reservedPrefixConfig: [{backendMode: MountedFile, usernamePrefixReserveList: [b]}]\n";
    assert_eq!(fixture.edit(&reserved), applied);
    assert!(
        fixture.user("b").contains("ReservedForOthers"),
        "{}",
        fixture.user("b")
    );
    assert_eq!(fixture.edit(&edited), applied);
    assert_eq!(fixture.user("b"), "b 0");

    let others = edited.replace("clusterID: c", "clusterID: d")
        + "  port: 7\n  stateDir: /elsewhere\n  globs: true\n  sts: {timeout: 9s}\n";
    assert_eq!(
        fixture.edit(&others),
        Reloaded::Applied {
            needs_restart: vec!["clusterID", "server.stateDir", "server.globs"],
        },
        "the command line sets the port"
    );
    assert_eq!(fixture.edit(&edited), applied);
    assert_eq!(*fixture.applied.lock(), [5, 5, 5, 9, 5]);
}

#[cfg(feature = "cel")]
#[test]
fn reload_changes_validations() {
    let fixture = MountedFileFixture::new(START);
    let validated = format!(
        "{START}  userValidationRules: [{{expression: 'user.username != \"a\"', message: not a}}]\n"
    );
    fixture.edit(&validated);
    assert!(fixture.user("a").contains("not a"), "{}", fixture.user("a"));
    let broken = validated.replace("!= ", "!=");
    let Reloaded::Refused(why) = fixture.edit(&broken.replace("\"a\"'", "'")) else {
        panic!("a rule that cannot be compiled must be refused");
    };
    assert!(why.contains("config.yaml:8:"), "{why}");
    assert!(
        fixture.user("a").contains("not a"),
        "the previous rule stays in effect"
    );
}

#[test]
fn initial_entries_have_notes() {
    let fixture = MountedFileFixture::new(START);
    let noted = fixture.live.inspect(|_, notes| {
        let in_effect: BTreeSet<String> = notes.in_effect.keys().cloned().collect();
        (in_effect, notes.refused.clone())
    });
    let (in_effect, refused) = noted.first().unwrap();
    assert_eq!(in_effect.iter().collect::<Vec<_>>(), ["server.mapRoles[0]"]);
    assert_eq!(refused.keys().collect::<Vec<_>>(), ["server.mapRoles[1]"]);
}

#[test]
fn missing_file_keeps_mappings() {
    let fixture = MountedFileFixture::new(START);
    let mut now = Instant::now();
    let mut poll = |times: usize| {
        for _ in 0..times {
            now += POLL_INTERVAL;
            fixture.file.poll(now);
        }
    };
    fs::remove_file(fixture.path()).unwrap();
    poll(20);
    assert_eq!(fixture.user("a"), "a 3");
    let trouble = fixture.trouble().unwrap();
    assert!(trouble.contains("config.yaml does not exist"), "{trouble}");
    assert!(matches!(fixture.file.reload(), Reloaded::Refused(_)));
    fs::write(fixture.path(), START).unwrap();
    poll(2);
    assert_eq!(fixture.trouble(), None);
    fs::write(fixture.path(), "{").unwrap();
    poll(2);
    assert!(
        fixture.trouble().unwrap().contains("config.yaml:1:1"),
        "{:?}",
        fixture.trouble()
    );
    assert_eq!(fixture.user("a"), "a 3");
    let without_a = START.replace("  - {roleARN: acs:ram::1:role/a, username: a}\n", "");
    fs::write(fixture.path(), without_a).unwrap();
    poll(2);
    assert_eq!(fixture.trouble(), None);
    assert!(
        fixture.user("a").contains("NotReady"),
        "the removed mapping is not in effect"
    );
}

#[test]
fn refused_file_drops_entries_that_its_lists_omit() {
    let two = START.replace("role/broken, username: '{{'", "role/b, username: b");
    let without_a = two.replace("  - {roleARN: acs:ram::1:role/a, username: a}\n", "");
    for broken in [
        "  port: 99999\n",
        "  userValidationRules: [{expression: '1 +', message: no}]\n",
        "  protct: ['acs:ram::1:role/a']\n",
        "  mapUsers: 17\n",
    ] {
        let fixture = MountedFileFixture::new(&two);
        // New mappings take effect only if the whole file is valid.
        let edited = without_a.clone() + "  - {roleARN: acs:ram::1:role/c, username: c}\n" + broken;
        assert!(
            matches!(fixture.edit(&edited), Reloaded::Refused(_)),
            "{broken}"
        );
        assert!(fixture.user("a").contains("NotReady"), "{broken}");
        assert_eq!(fixture.user("b"), "b 3", "{broken}");
        assert!(fixture.user("c").contains("NotReady"), "{broken}");
        fixture.edit(&two);
        assert_eq!(fixture.user("a"), "a 3", "{broken}");
    }
    for unreadable in ["", "\n", "server: 5\n", "clusterID: c\nsever: {}\n"] {
        let fixture = MountedFileFixture::new(&two);
        assert!(
            matches!(fixture.edit(unreadable), Reloaded::Refused(_)),
            "{unreadable}"
        );
        assert_eq!(fixture.user("a"), "a 3", "{unreadable}");
    }
}

#[test]
fn last_good_ttl_and_protection_follow_file() {
    let fixture = MountedFileFixture::new(START);
    let broken = START.replace("role/a, username: a", "role/a, username: a, groups: ['{{']");
    fixture.edit(&broken);
    assert_eq!(fixture.user("a"), "a 3");
    fixture.edit(&format!("{broken}  lastGoodTTL: 0\n"));
    assert!(
        fixture.user("a").contains("NotReady"),
        "{}",
        fixture.user("a")
    );
    fixture.edit(&broken);
    assert!(
        fixture.user("a").contains("NotReady"),
        "the last good form is not restored"
    );

    let fixture = MountedFileFixture::new(START);
    fixture.edit(&(broken.replace("role/a", "DISABLED") + "  protect: ['acs:ram::1:role/a']\n"));
    assert_eq!(fixture.user("a"), "a 3", "protected");
    let Reloaded::Refused(why) = fixture.edit(&format!("{START}  lastGoodTTL: 8days\n")) else {
        panic!("a duration of more than a week must be refused");
    };
    assert!(
        why.contains(
            "`server.lastGoodTTL` is `8days`; must be `0`, or a duration with a unit, up to 7d"
        ),
        "{why}"
    );
}

#[test]
fn reload_without_file_changes_nothing() {
    let overrides = Overrides {
        cluster_id: Some("c".to_owned()),
        ..Overrides::default()
    };
    let mut config = config::load(&ConfigSources {
        file: None::<ConfigFile<'_>>,
        overrides: &overrides,
        variables: &|_| None,
    })
    .unwrap();
    let clock = || UnixTime::from_seconds(7);
    let live = Arc::new(LiveRules::new(backends::load(&config), clock()));
    let inputs = Inputs {
        file: None::<&Path>.map(Path::to_owned),
        overrides,
        variables: |_| None,
    };
    let file = MountedFile::start(
        &mut config,
        inputs,
        live,
        clock,
        ignore_reloads(),
        Box::new(|_| {}),
    );
    file.poll(Instant::now());
    assert_eq!(file.reload(), Reloaded::Unchanged);
}
