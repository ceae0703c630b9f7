//! The calls of this project.

use std::path::Path;
use std::time::Duration;

use ack_ram_client::files::Files as _;
use ack_ram_client::flow::{Effect, Flow, Moment, Outcome, ProcessOutput, Step};
use ack_ram_client::http::{CallFailure, HttpReply, HttpRequest, HttpResponse};
use ack_ram_client::plan::Plan;
use serde_json::{Value, json};

use super::here::describe_error;
use super::{Client, Question, Reply, text};
use crate::NOW;

/// Runs a plan on the replies of `client`, and answers its question.
pub fn answer(client: &Client, plan: Plan) -> Value {
    let moment = Moment {
        now: NOW,
        nonce: "0123456789abcdef".to_owned(),
        pause: Duration::from_secs(1),
    };
    let mut replies = client.replies.iter();
    let mut effects = Vec::new();
    let mut step = Flow::start(plan, None, &moment);
    let result = loop {
        let (flow, effect) = match step {
            Step::Continue(flow, effect) => (flow, effect),
            Step::Done(Ok(obtained)) => break Some(json!({ "key": obtained.key.id.as_str() })),
            Step::Done(Err(error)) => break Some(describe_error(&error)),
        };
        let outcome = match &effect {
            Effect::Send(_) | Effect::Run(_) => replies.next().map(Reply::outcome),
            Effect::Read(path) => Some(Outcome::File(client.read(path))),
            Effect::Save(_) | Effect::Wait(_) => Some(Outcome::Done),
        };
        effects.push(effect);
        let Some(outcome) = outcome else { break None };
        step = flow.resume(outcome, &moment);
    };
    let requests = effects.iter().filter_map(|effect| match effect {
        Effect::Send(request) => Some(request),
        _ => None,
    });
    match client.question {
        Question::Requests => json!(requests.map(describe_request).collect::<Vec<_>>()),
        Question::Forms => json!(requests.map(form).collect::<Vec<_>>()),
        Question::Proxied => {
            let requests = requests.map(|request| {
                json!({ "call": format!("{:?}", request.call), "byProxy": request.limits.by_proxy })
            });
            json!(requests.collect::<Vec<_>>())
        }
        _ => {
            let calls = effects.iter().filter_map(|effect| match effect {
                Effect::Send(request) => Some(json!(format!("{:?}", request.call))),
                Effect::Run(words) => {
                    let program = Path::new(words[0].expose());
                    Some(json!({ "run": program }))
                }
                Effect::Read(_) | Effect::Save(_) | Effect::Wait(_) => None,
            });
            json!(calls.chain(result).collect::<Vec<_>>())
        }
    }
}

impl Reply {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Http { status, body } => Outcome::Http(HttpReply::Response(HttpResponse {
                status: *status,
                date: None,
                body: text(body).into_bytes().into(),
            })),
            Self::Timeout => Outcome::Http(HttpReply::Failed(CallFailure::timeout("timed out"))),
            Self::Process(output) => Outcome::Process(ProcessOutput::Ended {
                is_success: true,
                status: "exit status: 0".to_owned(),
                stdout: text(output).into_bytes().into(),
                stderr: Vec::new().into(),
            }),
        }
    }
}

fn describe_request(request: &HttpRequest) -> Value {
    let path_and_query = request.path_and_query.expose();
    let (_, query) = path_and_query.split_once('?').unwrap_or_default();
    let mut headers: Vec<_> = request.headers.iter().map(|(name, _)| *name).collect();
    headers.sort_unstable();
    json!({
        "method": request.method.name(),
        "query": names(query),
        "headers": headers,
        "form": names(request.body.expose()),
    })
}

fn names(form: &str) -> Vec<String> {
    let pairs = form_urlencoded::parse(form.as_bytes());
    let mut names: Vec<_> = pairs.map(|(name, _)| name.into_owned()).collect();
    names.sort();
    names
}

fn form(request: &HttpRequest) -> Value {
    let body = request.body.expose();
    form_urlencoded::parse(body.as_bytes())
        .map(|(name, value)| (name.into_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
