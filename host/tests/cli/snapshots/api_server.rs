//! An API server with one ConfigMap and objects, and only the requests that the commands make.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

const OBJECTS: &str = "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings";
const CONFIG_MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
/// The name of the one ConfigMap.
const CONFIG_MAP: &str = "alibabacloud-auth";

/// The contents of the API server, and the failures that it returns.
#[derive(Default)]
struct ApiServerState {
    /// The texts of the ConfigMap by key; `None` without a ConfigMap.
    config_map: Option<BTreeMap<String, String>>,
    /// The objects by name; `None` without the CustomResourceDefinition.
    objects: Option<BTreeMap<String, Value>>,
    /// The method of requests that fail, and the code and message of the failure.
    failure: Option<(&'static str, u16, &'static str)>,
}

/// An API server on a free port. Its threads end with the test process.
pub(super) struct ApiServer {
    port: u16,
    state: Arc<Mutex<ApiServerState>>,
}

struct Request {
    method: String,
    path: String,
    is_dry_run: bool,
    body: Value,
}

impl ApiServer {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(ApiServerState::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { port, state }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Returns a kubeconfig for this server.
    pub(super) fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{}'}}}}]\nusers: [{{name: u, user: {{token: SECRET}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n",
            self.port
        )
    }

    pub(super) fn set_config_map(&self, texts: &[(&str, &str)]) {
        let texts = texts.iter();
        let texts = texts.map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        self.state.lock().unwrap().config_map = Some(texts.collect());
    }

    /// Returns the text at `key` of the ConfigMap.
    pub(super) fn config_map_text(&self, key: &str) -> String {
        let state = self.state.lock().unwrap();
        let texts = state.config_map.as_ref().unwrap();
        texts.get(key).cloned().unwrap_or_default()
    }

    pub(super) fn set_objects(&self, objects: &[(&str, Value)]) {
        let objects = objects.iter();
        let objects = objects.map(|(name, spec)| ((*name).to_owned(), object(name, spec)));
        self.state.lock().unwrap().objects = Some(objects.collect());
    }

    /// Makes all further requests with `method` fail.
    pub(super) fn fail(&self, method: &'static str, code: u16, message: &'static str) {
        self.state.lock().unwrap().failure = Some((method, code, message));
    }
}

fn object(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1",
        "kind": "RAMIdentityMapping",
        "metadata": {"name": name, "uid": name, "resourceVersion": "1", "generation": 1},
        "spec": spec,
    })
}

fn serve(stream: TcpStream, state: &Mutex<ApiServerState>) -> io::Result<()> {
    let request = read_request(&stream)?;
    let (code, body) = state.lock().unwrap().answer(&request);
    let body = body.to_string();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {code} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn read_request(stream: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.parse().ok()).flatten()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let mut words = head.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Request {
        is_dry_run: query.contains("dryRun=All") || body["dryRun"][0] == "All",
        path: path.to_owned(),
        method,
        body,
    })
}

impl ApiServerState {
    fn answer(&mut self, request: &Request) -> (u16, Value) {
        match self.failure {
            Some((method, code, message)) if method == request.method => failed(code, message),
            _ => match request.path.strip_prefix(CONFIG_MAPS) {
                Some(_) => self.answer_about_config_map(request),
                None => match request.path.strip_prefix(OBJECTS) {
                    Some(rest) => self.answer_about_objects(rest.trim_start_matches('/'), request),
                    None => failed(404, "the server could not find the requested resource"),
                },
            },
        }
    }

    fn answer_about_config_map(&mut self, request: &Request) -> (u16, Value) {
        if request.method == "GET" && self.config_map.is_none() {
            return failed(404, "configmaps \"alibabacloud-auth\" not found");
        }
        let mut texts = self.config_map.clone().unwrap_or_default();
        if let Some(data) = request.body["data"].as_object() {
            let data = data.iter();
            texts.extend(data.map(|(key, text)| (key.clone(), text.as_str().unwrap().to_owned())));
        }
        let answer = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG_MAP, "namespace": "kube-system", "resourceVersion": "1"},
            "data": texts,
        });
        if request.method != "GET" && !request.is_dry_run {
            self.config_map = Some(texts);
        }
        (200, answer)
    }

    fn answer_about_objects(&mut self, name: &str, request: &Request) -> (u16, Value) {
        let Some(objects) = &mut self.objects else {
            return failed(404, "the server could not find the requested resource");
        };
        let found = objects.get(name).cloned();
        match (request.method.as_str(), found) {
            ("GET", _) if name.is_empty() => {
                let items: Vec<&Value> = objects.values().collect();
                (200, json!({"kind": "List", "metadata": {}, "items": items}))
            }
            ("POST", _) => {
                let name = request.body["metadata"]["name"].as_str().unwrap();
                if objects.contains_key(name) {
                    return failed(409, "it exists already");
                }
                let new = object(name, &request.body["spec"]);
                if !request.is_dry_run {
                    objects.insert(name.to_owned(), new.clone());
                }
                (201, new)
            }
            (_, None) => failed(404, "ramidentitymappings not found"),
            ("PATCH", Some(mut changed)) => {
                let spec = changed["spec"].as_object_mut().unwrap();
                spec.extend(request.body["spec"].as_object().unwrap().clone());
                if !request.is_dry_run {
                    objects.insert(name.to_owned(), changed.clone());
                }
                (200, changed)
            }
            ("DELETE", Some(deleted)) => {
                if !request.is_dry_run {
                    objects.remove(name);
                }
                (200, deleted)
            }
            (_, Some(found)) => (200, found),
        }
    }
}

fn failed(code: u16, message: &str) -> (u16, Value) {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "Other",
    };
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    });
    (code, status)
}
