//! A hundred broken edits of the configuration file and the dynamic file of running servers.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ack_ram_tests::broken_edits;
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::broken::{self, Lists};
use crate::people::{OTHER_ACCOUNT, Person, sts};
use crate::replica::{Login, LoginClient, Replica};
use ack_ram_tests::eventually::block_until;

/// A server loads a file a second after the edit, so several servers work in parallel.
const SERVERS: u32 = 8;

#[test]
fn broken_file_edits_keep_all_mappings() {
    let sts = sts();
    let folder = tempfile::tempdir().unwrap();
    let servers: Vec<Server> = (0..SERVERS)
        .map(|number| Server::start(folder.path().join(number.to_string()), number, &sts))
        .collect();
    let edits = |kind: fn(&Server) -> &Document| {
        let mut edits: Vec<_> = kind(&servers[0])
            .edits()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        edits.sort_unstable();
        edits.dedup();
        edits.len()
    };
    let count = edits(|server| &server.dynamic);
    assert!(count > 50 && edits(|server| &server.mounted) > 50);
    let turns = Mutex::new(0..count.max(edits(|server| &server.mounted)));
    std::thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| {
                let edits = [&server.mounted, &server.dynamic].map(Document::edits);
                loop {
                    let turn = turns.lock().unwrap().next();
                    let Some(turn) = turn else { return };
                    // Both edits at the same time: they do not affect each other.
                    server.check(&edits.each_ref().map(|edits| edits.get(turn)));
                }
            });
        }
    });
}

/// A server and its two files.
struct Server {
    replica: Replica,
    mounted: Document,
    dynamic: Document,
}

/// How a file is edited.
#[derive(Clone, Copy)]
enum EditMethod {
    InPlace,
    /// Another file is renamed over the file, as most editors do.
    Renamed,
    /// The file is a link into a linked folder, and the edit swaps the link to the folder, as Kubernetes does with
    /// mounted ConfigMaps.
    Linked,
}

/// A file with three lists.
struct Document {
    backend: &'static str,
    how: EditMethod,
    path: PathBuf,
    lists: Lists,
    render: Box<dyn Fn(&Lists) -> String + Sync + Send>,
    people: [Person; 2],
}

type Edit = (String, Vec<u8>);

impl Server {
    fn start(folder: PathBuf, number: u32, sts: &ack_ram_tests::sts::Emulator) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let person = |place| Person(number * 4 + place);
        let how = |number| match number % 3 {
            0 => EditMethod::InPlace,
            1 => EditMethod::Renamed,
            _ => EditMethod::Linked,
        };
        let dynamic = Document {
            backend: "DynamicFile",
            how: how(number),
            path: folder.join("users.json"),
            people: [person(0), person(1)],
            lists: broken::good([person(0), person(1)]),
            render: Box::new(|lists| format!("{{{}}}", members(lists))),
        };
        dynamic.write((dynamic.render)(&dynamic.lists).as_bytes());
        let settings = json!({
            "backendMode": ["MountedFile", "DynamicFile"],
            "dynamicFilePath": dynamic.path,
        });
        let mounted_people = [person(2), person(3)];
        let lists = broken::good(mounted_people);
        let mut first = settings.clone();
        for (key, text) in &lists {
            first[*key] = serde_json::from_str::<Value>(text).unwrap();
        }
        let replica = Replica::start(folder, sts, &first);
        let mut config: Value =
            serde_json::from_slice(&fs::read(replica.config()).unwrap()).unwrap();
        for key in lists.keys() {
            config["server"].as_object_mut().unwrap().remove(*key);
        }
        let base = config.to_string();
        let base = base.strip_suffix("}}").unwrap().to_owned();
        let mounted = Document {
            backend: "MountedFile",
            how: how(number + 1),
            path: replica.config(),
            people: mounted_people,
            lists,
            render: Box::new(move |lists| format!("{base}, {}}}}}", members(lists))),
        };
        Self {
            replica,
            mounted,
            dynamic,
        }
    }

    fn check(&self, edits: &[Option<&Edit>; 2]) {
        let documents = [&self.mounted, &self.dynamic];
        let named: Vec<_> = edits.iter().flatten().map(|(name, _)| name).collect();
        let mark = self.replica.log().len();
        let mut written = Vec::new();
        for (document, edit) in documents.into_iter().zip(edits) {
            if let Some((name, text)) = edit {
                document.write(text);
                written.push((document, name));
            }
        }
        for (document, name) in &written {
            let kept = self.kept(document);
            block_until(name, || {
                let log = self.replica.log();
                let is_logged = log[mark..].lines().any(|line| {
                    let file = document.path.file_name().unwrap().to_string_lossy();
                    line.contains("; kept: ")
                        && line.contains(&format!("backend={}", document.backend))
                        && line.contains(&*file)
                });
                let is_counted = kept() > 0.0;
                (is_logged && is_counted)
                    .then_some(())
                    .ok_or_else(|| log[mark..].to_owned())
            });
        }
        self.check_logins(&named);
        let (status, text) = self.replica.readyz();
        assert_eq!(status, 200, "{named:?}: {text}");
        for document in documents {
            document.write((document.render)(&document.lists).as_bytes());
        }
        for (document, name) in &written {
            let kept = self.kept(document);
            block_until(name, || match (kept(), self.replica.readyz().1) {
                (0.0, text) if text.contains(&format!("backend {} ok\n", document.backend)) => {
                    Ok(())
                }
                other => Err(format!("undone: {other:?}")),
            });
        }
        self.check_logins(&named);
    }

    fn kept(&self, document: &Document) -> impl Fn() -> f64 {
        let labels = [("backend", document.backend), ("state", "kept")];
        move || self.replica.metric("rules", &labels)
    }

    fn check_logins(&self, edits: &[&String]) {
        let login_client: &LoginClient = &self.replica.login_client;
        for person in self.mounted.people.into_iter().chain(self.dynamic.people) {
            assert_eq!(
                login_client.login(person),
                Login::As(person.name()),
                "{edits:?}"
            );
        }
        assert_eq!(
            login_client.login_with(&demo::session_key()),
            Login::As("dev".to_owned()),
            "{edits:?}"
        );
        let other = Person::of_other_account();
        assert!(other.arn().contains(OTHER_ACCOUNT));
        assert_eq!(
            login_client.login(other),
            Login::As(other.arn()),
            "{edits:?}"
        );
    }
}

fn members(lists: &Lists) -> String {
    let members = lists.iter().map(|(key, text)| format!("\"{key}\": {text}"));
    members.collect::<Vec<_>>().join(", ")
}

impl Document {
    fn write(&self, text: &[u8]) {
        match self.how {
            EditMethod::InPlace => fs::write(&self.path, text).unwrap(),
            EditMethod::Renamed => {
                let other = self.path.with_extension("swp");
                fs::write(&other, text).unwrap();
                fs::rename(other, &self.path).unwrap();
            }
            EditMethod::Linked => swap_link(&self.path, text),
        }
    }

    /// Returns broken edits of the lists, and of the complete file.
    fn edits(&self) -> Vec<Edit> {
        let list_edits = broken::edits(self.people).into_iter();
        let list_edits = list_edits.map(|(name, lists)| (name, (self.render)(&lists).into_bytes()));
        let good = (self.render)(&self.lists);
        let file_edits = broken_edits::table().dynamic_file.into_iter();
        let file_edits = file_edits.filter(|edit| edit.cluster).map(|edit| {
            let name = format!("complete file: {}", edit.name);
            (name, edit.apply_to_bytes(&good))
        });
        list_edits.chain(file_edits).collect()
    }
}

/// Writes the file like the kubelet (Kubernetes, `pkg/volume/util/atomic_writer.go`).
fn swap_link(path: &Path, text: &[u8]) {
    let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap());
    let data = folder.join(format!("..data-{}", name.to_string_lossy()));
    let before = fs::read_link(&data).ok();
    let version = tempfile::tempdir_in(folder).unwrap().keep();
    fs::write(version.join(name), text).unwrap();
    let new_link = data.with_extension("tmp");
    symlink(&version, &new_link).unwrap();
    fs::rename(&new_link, &data).unwrap();
    match fs::read_link(path) {
        Ok(_) => {}
        Err(error) => {
            let kinds = [ErrorKind::NotFound, ErrorKind::InvalidInput];
            assert!(kinds.contains(&error.kind()), "{error}");
            symlink(data.join(name), &new_link).unwrap();
            fs::rename(&new_link, path).unwrap();
        }
    }
    if let Some(before) = before {
        fs::remove_dir_all(before).unwrap();
    }
}
