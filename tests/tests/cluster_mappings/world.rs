//! Everything that takes part: a cluster, an STS, people in it, and servers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::authenticator::{self, Authenticator};
use ack_ram_tests::cluster::{Cluster, Rest};
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::proxy::Proxy;
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::webhook::WebhookClient;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
pub const MAPPINGS: &str = "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings";
pub const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ramidentitymappings.ramauthenticator.k8s.alibabacloud";
const CONFIG_MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
/// Of the last person.
pub const OTHER_ACCOUNT: &str = "6543210987654321";
const PEOPLE: u32 = 2_000;
/// Nothing here takes nearly as long on an idle machine.
pub const LONG: Duration = Duration::from_secs(90);

/// Waits until `look` finds nothing to complain of.
#[track_caller]
pub fn eventually(what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + LONG;
    loop {
        match look() {
            Ok(()) => return,
            Err(why) => assert!(Instant::now() < deadline, "{what}: {why}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A RAM user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person(pub u32);

impl Person {
    pub fn name(self) -> String {
        format!("p{}", self.0)
    }

    /// Somebody of [`OTHER_ACCOUNT`].
    pub fn of_other_account() -> Self {
        Self(PEOPLE)
    }

    fn account(self) -> &'static str {
        if self == Self::of_other_account() {
            OTHER_ACCOUNT
        } else {
            demo::ACCOUNT
        }
    }

    pub fn arn(self) -> String {
        format!("acs:ram::{}:user/{}", self.account(), self.name())
    }

    pub fn key(self) -> AccessKey {
        AccessKey {
            id: AccessKeyId::parse(&format!("LTAI5tPerson{:06}", self.0)).unwrap(),
            secret: Secret::new(format!("SecretOfPerson{}", self.0)),
            security_token: None,
        }
    }

    pub fn token(self) -> Secret {
        token(&self.key())
    }

    /// An entry of `mapUsers`.
    pub fn entry(self, username: &str) -> Value {
        json!({"userARN": self.arn(), "username": username, "groups": ["mapped"]})
    }
}

/// A token of the owner of `key`.
pub fn token(key: &AccessKey) -> Secret {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = UnixTime::from_seconds(since_epoch.unwrap().as_secs().try_into().unwrap());
    let cluster = ClusterId::parse(CLUSTER).unwrap();
    sign::token_v2(key, &cluster, "test", now).unwrap()
}

/// An STS that knows all people.
pub fn sts() -> Emulator {
    let people = (0..=PEOPLE).map(Person);
    let builder = people.fold(Emulator::builder().demo(), |builder, person| {
        let id = format!("2{:017}", person.0);
        builder.user(person.account(), &person.name(), &id, person.key())
    });
    builder.start().unwrap()
}

/// What came of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    As(String),
    Denied,
    /// It cannot be told now, for this reason.
    Unable(String),
}

/// Where logins are asked about.
pub struct Door {
    webhook: WebhookClient,
    runtime: Runtime,
}

impl Door {
    fn new(state: &Path, port: u16) -> Self {
        Self {
            webhook: WebhookClient::new(&state.join("cert.pem"), port).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    pub fn login(&self, person: Person) -> Login {
        self.login_with(&person.key())
    }

    pub fn login_with(&self, key: &AccessKey) -> Login {
        let reply = self.runtime.block_on(self.webhook.review(&token(key)));
        let reply = reply.unwrap_or_else(|error| panic!("{}: {error}", key.id.as_str()));
        match reply.status.as_u16() {
            200 => login_of(&reply.body),
            503 => Login::Unable(reply.body["message"].as_str().unwrap().to_owned()),
            status => panic!("{}: {status} {}", key.id.as_str(), reply.body),
        }
    }
}

/// The answer in a TokenReview.
fn login_of(review: &Value) -> Login {
    let status = &review["status"];
    if status["authenticated"] != json!(true) {
        return Login::Denied;
    }
    let username = status["user"]["username"].as_str().unwrap();
    let groups = status["user"]["groups"].as_array();
    let is_mapped = groups.is_some_and(|groups| groups.contains(&json!("mapped")));
    // Who is let in as one of an account has no groups.
    assert_eq!(is_mapped, !username.starts_with("acs:"), "{review}");
    Login::As(username.to_owned())
}

/// A server, and where its files are.
pub struct Replica {
    process: Option<Authenticator>,
    folder: PathBuf,
    port: u16,
    health_port: u16,
    pub door: Door,
}

impl Replica {
    /// Starts a server with its files in `folder`, and with `settings` in `server`.
    pub fn start(folder: PathBuf, sts: &Emulator, settings: &Value) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let port = settings["port"]
            .as_u64()
            .map(|port| port.try_into().unwrap());
        let (port, health_port) = (port.unwrap_or_else(ports::free_port), ports::free_port());
        fs::write(folder.join("sts-ca.pem"), sts.ca_pem()).unwrap();
        let mut config = json!({"clusterID": CLUSTER, "server": {
            "port": port,
            "healthPort": health_port,
            "stateDir": folder.join("state"),
            "generateKubeconfig": folder.join("webhook.kubeconfig"),
            "sts": {"endpoint": sts.url(), "caFile": folder.join("sts-ca.pem")},
        }});
        let server = config["server"].as_object_mut().unwrap();
        server.extend(settings.as_object().unwrap().clone());
        fs::write(folder.join("config.yaml"), config.to_string()).unwrap();
        Self::run(folder, port, health_port)
    }

    fn run(folder: PathBuf, port: u16, health_port: u16) -> Self {
        let config = folder.join("config.yaml");
        let mut command =
            authenticator::command(&folder, &["server", "-c", &config.to_string_lossy()]);
        let log = "info,ack_ram_authenticator=debug,kube_client=off,kube_runtime=off";
        command.env("ACK_RAM_AUTHENTICATOR_LOG", log);
        let process = Authenticator::start_with(command).unwrap();
        Self {
            door: Door::new(&folder.join("state"), port),
            process: Some(process),
            folder,
            port,
            health_port,
        }
    }

    /// Another way in, for another thread.
    pub fn another_door(&self) -> Door {
        Door::new(&self.state(), self.port)
    }

    pub fn login(&self, person: Person) -> Login {
        self.door.login(person)
    }

    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub fn config(&self) -> PathBuf {
        self.folder.join("config.yaml")
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    pub fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    pub fn start_again(&mut self) {
        assert!(!self.is_running());
        *self = Self::run(self.folder.clone(), self.port, self.health_port);
    }

    pub fn log(&self) -> String {
        self.process.as_ref().unwrap().log()
    }

    /// Status and text of `/readyz?verbose`.
    pub fn readyz(&self) -> (u16, String) {
        self.ask_health("/readyz?verbose")
    }

    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let (_, text) = self.ask_health("/metrics");
        let metrics = Exposition::parse(&text).unwrap();
        let name = format!("ack_ram_authenticator_{name}");
        metrics.value(&name, labels).unwrap_or_default()
    }

    fn ask_health(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.health_port)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// Waits until `/readyz` says this of `backend`, with that status.
    #[track_caller]
    pub fn wait_for_readyz(&self, status: u16, part: &str) {
        eventually(part, || match self.readyz() {
            (seen, text) if seen == status && text.contains(part) => Ok(()),
            seen => Err(format!("{seen:?}")),
        });
    }

    #[track_caller]
    pub fn wait_for_login(&self, person: Person, expected: &Login) {
        eventually("login", || {
            let login = self.login(person);
            let why = || format!("{person:?} is {login:?}, not {expected:?}");
            (login == *expected).then_some(()).ok_or_else(why)
        });
    }
}

/// A cluster whose API server asks the first of some servers, each of which asks the API server through a proxy of its
/// own.
pub struct World {
    pub replicas: Vec<Replica>,
    pub proxies: Vec<Proxy>,
    pub api: Rest,
    pub cluster: Cluster,
    pub sts: Emulator,
    /// The token of the servers' service account.
    token: String,
    /// What `mapUsers` of the ConfigMap says.
    pub config_map: BTreeMap<Person, String>,
    next: u32,
    // Dropped after those who use its files.
    pub folder: TempDir,
}

impl World {
    /// Starts everything, with `replicas` servers that have `settings`, and as many rights as `deploy/` gives.
    pub fn start(replicas: usize, settings: &Value) -> Self {
        let sts = sts();
        let folder = tempfile::tempdir().unwrap();
        let first = ports::free_port();
        init(folder.path(), first);
        let webhook = folder
            .path()
            .join("0/state/ack-ram-authenticator.kubeconfig");
        let cluster = Cluster::builder()
            .webhook(&webhook, ReviewVersion::V1)
            .start();
        apply_deploy(&cluster, "ramidentitymapping.yaml");
        wait_for_definition(&cluster);
        apply_deploy(&cluster, "example.yaml");
        let args = [
            "create",
            "token",
            "--namespace=kube-system",
            "--duration=10h",
            "ack-ram-authenticator",
        ];
        let token = cluster.admin_kubectl(&args);
        assert!(token.success, "{}", token.stderr);
        let mut world = Self {
            replicas: Vec::new(),
            proxies: Vec::new(),
            api: cluster.api(),
            token: token.stdout.trim().to_owned(),
            cluster,
            sts,
            config_map: BTreeMap::new(),
            next: 0,
            folder,
        };
        for number in 0..replicas {
            let mut settings = settings.clone();
            if number == 0 {
                settings["port"] = json!(first);
            }
            let replica = world.add_replica(&number.to_string(), &settings);
            world.replicas.push(replica);
        }
        world
    }

    /// Starts a server that asks the API server through a proxy of its own, which is the last one.
    pub fn add_replica(&mut self, name: &str, settings: &Value) -> Replica {
        let kubeconfig = self.add_proxy(name);
        let mut settings = settings.clone();
        if settings.get("kubeconfig").is_none() {
            settings["kubeconfig"] = json!(kubeconfig);
        }
        Replica::start(self.folder.path().join(name), &self.sts, &settings)
    }

    /// A kubeconfig of the servers' service account, with its own way to the API server.
    fn add_proxy(&mut self, name: &str) -> PathBuf {
        let address = self.cluster.url().trim_start_matches("https://");
        let address: SocketAddr = address.parse().unwrap();
        let proxy = Proxy::start(address).unwrap();
        let url = format!("https://{}", proxy.address());
        self.proxies.push(proxy);
        self.cluster
            .write_token_kubeconfig_at(&url, &format!("server-{name}"), &self.token)
    }

    /// Somebody who was not there before.
    pub fn person(&mut self) -> Person {
        self.next += 1;
        assert!(self.next < PEOPLE);
        Person(self.next)
    }

    /// Creates an object that maps `person`, and is called as they are.
    pub fn map(&self, person: Person, username: &str) {
        self.api
            .post(MAPPINGS, &object(&person.name(), &person.arn(), username))
            .ok();
    }

    pub fn remap(&self, person: Person, username: &str) {
        let patch = json!({"spec": {"username": username}});
        self.api.merge(&path(&person.name()), &patch).ok();
    }

    pub fn unmap(&self, person: Person) {
        self.api.delete(&path(&person.name())).ok();
    }

    /// Writes [`Self::config_map`] into the cluster.
    pub fn write_config_map(&self) {
        let entries = self.config_map.iter();
        let users: Vec<Value> = entries
            .map(|(person, username)| person.entry(username))
            .collect();
        self.write_config_map_data(&json!({"mapUsers": json!(users).to_string()}));
    }

    pub fn write_config_map_data(&self, data: &Value) {
        let name = "alibabacloud-auth";
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "kube-system", "name": name},
            "data": data,
        });
        let written = self.api.put(&format!("{CONFIG_MAPS}/{name}"), &object);
        if written.status == 404 {
            self.api.post(CONFIG_MAPS, &object).ok();
        } else {
            written.ok();
        }
    }

    /// A login at the API server.
    pub fn review(&self, person: Person) -> Login {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": person.token().expose()},
        });
        login_of(
            &self
                .api
                .post("/apis/authentication.k8s.io/v1/tokenreviews", &review)
                .ok(),
        )
    }

    /// The servers that run.
    pub fn running(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().filter(|replica| replica.is_running())
    }

    /// What the status of the object `name` says.
    pub fn status(&self, name: &str) -> Value {
        self.api.get(&path(name)).ok()["status"].clone()
    }

    /// Waits until the condition `kind` of the object `name` says so, with `part` in its message.
    #[track_caller]
    pub fn wait_for_condition(&self, name: &str, kind: &str, status: &str, part: &str) {
        eventually(name, || {
            let found = condition(&self.status(name), kind);
            let message = found["message"].as_str().unwrap_or_default();
            let is_so = found["status"] == status && message.contains(part);
            is_so
                .then_some(())
                .ok_or_else(|| format!("{kind} is {found}, not {status}: {part}"))
        });
    }

    /// A command of the program, as an administrator of the cluster.
    pub fn command(&self, args: &[&str]) -> Command {
        let kubeconfig = self
            .cluster
            .admin_kubeconfig()
            .to_string_lossy()
            .into_owned();
        let args = [args, &["--kubeconfig", &kubeconfig]].concat();
        authenticator::command(self.folder.path(), &args)
    }
}

/// A command that ran.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn run(command: Command) -> Ran {
    let mut process = Process::spawn("ack-ram-authenticator", command).unwrap();
    let status = process.wait(LONG).unwrap();
    Ran {
        code: status.code(),
        stdout: process.stdout(),
        stderr: process.stderr(),
    }
}

pub fn object(name: &str, arn: &str, username: &str) -> Value {
    of_spec(
        name,
        &json!({"arn": arn, "username": username, "groups": ["mapped"]}),
    )
}

pub fn of_spec(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1",
        "kind": "RAMIdentityMapping",
        "metadata": {"name": name},
        "spec": spec,
    })
}

pub fn path(name: &str) -> String {
    format!("{MAPPINGS}/{name}")
}

pub fn condition(status: &Value, kind: &str) -> Value {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let mut conditions = conditions.into_iter();
    conditions
        .find(|condition| condition["type"] == kind)
        .unwrap_or_default()
}

pub fn apply_deploy(cluster: &Cluster, name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name);
    let applied = cluster.admin_kubectl(&["apply", "--filename", &file.to_string_lossy()]);
    assert!(applied.success, "{}", applied.stderr);
}

pub fn wait_for_definition(cluster: &Cluster) {
    let crd = "crd/ramidentitymappings.ramauthenticator.k8s.alibabacloud";
    let args = ["wait", "--for=condition=Established", "--timeout=60s", crd];
    let waited = cluster.admin_kubectl(&args);
    assert!(waited.success, "{}", waited.stderr);
    // Established is a moment before served.
    let api = cluster.api();
    eventually("the definition", || match api.get(MAPPINGS) {
        answer if answer.status == 200 => Ok(()),
        answer => Err(format!("{answer:?}")),
    });
}

/// As an administrator prepares the first server, before there is an API server that could be asked.
fn init(folder: &Path, port: u16) {
    let folder = folder.join("0/state");
    fs::create_dir_all(&folder).unwrap();
    let config = folder.join("init.yaml");
    let settings = json!({"clusterID": CLUSTER, "server": {"port": port, "stateDir": folder}});
    fs::write(&config, settings.to_string()).unwrap();
    let ran = run(authenticator::command(
        &folder,
        &["init", "--config", &config.to_string_lossy()],
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
