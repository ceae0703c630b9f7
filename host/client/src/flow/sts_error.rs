//! Errors of the calls to STS for a key, with the cause and the remedy.

use ack_ram_config::StsEndpoint;
use ack_ram_core::sts::{
    SessionName, StsError, StsRefusal, StsReply, StsUnavailable, TemporaryKey,
};

use crate::error::{ClientError, Refusal, SessionKind, SignIn, Unavailable};
use crate::flow::{Moment, Obtained, Transition};
use crate::http::{Call, HttpReply};
use crate::origin::{Origin, Setting};
use crate::plan::Plan;

/// The tries of a call to STS. The second follows a pause after a failure that may be over by then.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The call is made for the first time.
    First,
    /// The pause after this error is not over.
    Pause(ClientError),
    /// The call is made again, after this error.
    Second(ClientError),
}

impl Attempt {
    /// Returns the pause after a call that failed, or the error to report if there is no other try. `explained` is the
    /// error in words.
    pub(super) fn after_failure(
        self,
        is_temporary: bool,
        is_timeout: bool,
        explained: ClientError,
    ) -> Result<Self, ClientError> {
        match self {
            Self::First if is_temporary => Ok(Self::Pause(explained)),
            // The time was too short for the second try, so the first error is the reason.
            Self::Second(first) if is_timeout => Err(first),
            Self::First | Self::Pause(_) | Self::Second(_) => Err(explained),
        }
    }

    /// Does the same as [`Self::after_failure`] for the error in a reply of STS.
    pub(super) fn after_error(
        self,
        error: &StsError,
        reply: &HttpReply,
        origins: &CallOrigins<'_>,
        moment: &Moment,
    ) -> Result<Self, ClientError> {
        let explained = explain(error, reply, origins, moment);
        self.after_failure(is_temporary(error), is_timeout(reply), explained)
    }
}

/// What a call was made with, for the remedies.
pub(super) struct CallOrigins<'a> {
    pub(super) call: Call,
    /// What the call is about, such as the role.
    pub(super) subject: String,
    pub(super) endpoint: &'a Setting<StsEndpoint>,
    pub(super) credential: Credential<'a>,
    pub(super) role: &'a Origin,
    pub(super) name: Option<&'a Origin>,
    pub(super) seconds: Option<&'a Origin>,
    pub(super) policy: Option<&'a Origin>,
}

/// What proves the identity of the caller.
pub(super) struct Credential<'a> {
    /// The key or OIDC token, and where it comes from.
    pub(super) text: String,
    /// Where the secret of the key comes from, if it is in a setting.
    pub(super) secret: Option<&'a Origin>,
    /// The command that starts a new session, if the key is that of a session.
    pub(super) sign_in: Option<String>,
    /// Whether the key is in the cache.
    pub(super) is_cached: bool,
}

impl<'a> Credential<'a> {
    /// Describes the key of a plan.
    pub(super) fn of_plan(plan: &'a Plan) -> Self {
        let sign_in = match plan {
            Plan::CloudSso(plan) => Some((&plan.profile, SessionKind::CloudSso)),
            Plan::OAuth(plan) => Some((&plan.profile, SessionKind::OAuth(plan.site))),
            _ => None,
        };
        Self {
            text: plan.summary().text(),
            secret: match plan {
                Plan::Key(key) => Some(&key.secret_origin),
                _ => None,
            },
            sign_in: sign_in.map(|(profile, kind)| {
                let sign_in = SignIn {
                    profile: profile.clone(),
                    kind,
                    reason: String::new(),
                };
                sign_in.command()
            }),
            is_cached: false,
        }
    }
}

/// Converts a reply for the parser of `core`.
pub(super) fn sts_reply(reply: &HttpReply) -> StsReply<'_> {
    match reply {
        HttpReply::Response(response) => StsReply::Response {
            status: response.status,
            body: &response.body,
        },
        HttpReply::TooLarge => StsReply::TooLarge,
        HttpReply::Failed(failure) if failure.is_timeout => StsReply::TimedOut,
        HttpReply::Failed(_) => StsReply::Unreachable,
    }
}

/// Returns whether the same call may succeed after a pause.
pub(super) fn is_temporary(error: &StsError) -> bool {
    matches!(
        error,
        StsError::Unavailable(StsUnavailable::Throttled { .. } | StsUnavailable::Failing { .. })
    )
}

/// Returns whether there was no reply in time.
pub(super) fn is_timeout(reply: &HttpReply) -> bool {
    matches!(reply, HttpReply::Failed(failure) if failure.is_timeout)
}

/// Returns a key of STS. A key whose end is in the past means that a clock is wrong.
pub(super) fn obtain(
    session: TemporaryKey,
    name: SessionName,
    call: Call,
    reply: &HttpReply,
    moment: &Moment,
) -> Transition {
    if session.expires <= moment.now {
        return Transition::Fail(ClientError::Refused(Refusal {
            cause: format!("the key from {} ended at {}", call.name(), session.expires),
            remedy: clock_remedy(reply, moment),
        }));
    }
    Transition::Obtained(Obtained {
        key: session.key,
        expires: Some(session.expires),
        session_name: Some(name),
    })
}

/// Returns the error of a call to STS.
pub(super) fn explain(
    error: &StsError,
    reply: &HttpReply,
    origins: &CallOrigins<'_>,
    moment: &Moment,
) -> ClientError {
    let what = format!("{} for {}", origins.call.name(), origins.subject);
    let endpoint = &origins.endpoint.value;
    match error {
        StsError::Refused(refusal) => ClientError::Refused(Refusal {
            cause: format!("STS refused {what} with {}", refusal.code_with_request_id()),
            remedy: remedy(refusal, reply, origins, moment),
        }),
        StsError::Unavailable(unavailable) => ClientError::Unavailable(Unavailable {
            cause: match reply {
                HttpReply::Failed(failure) => {
                    format!("{what} got no answer from {endpoint}: {}", failure.text)
                }
                HttpReply::Response(_) | HttpReply::TooLarge => {
                    format!("{what} failed at {endpoint}: {unavailable}")
                }
            },
            remedy: match unavailable {
                StsUnavailable::Throttled { .. } => "try again in a minute".to_owned(),
                StsUnavailable::Failing { .. } => "try again in a moment".to_owned(),
                StsUnavailable::Unreachable
                | StsUnavailable::TimedOut
                | StsUnavailable::Malformed { .. }
                | StsUnavailable::ExpiredInFlight { .. } => {
                    network_remedy(reply, &origins.endpoint.origin)
                }
            },
        }),
    }
}

/// Returns what to do if STS cannot be reached, or if something else answers. `endpoint` is the place of the endpoint.
fn network_remedy(reply: &HttpReply, endpoint: &Origin) -> String {
    let advice = match reply {
        HttpReply::Failed(failure) => failure.advice.as_deref(),
        HttpReply::Response(_) | HttpReply::TooLarge => None,
    };
    match (advice, endpoint) {
        (Some(advice), Origin::Default) => advice.to_owned(),
        (Some(advice), place) => format!("{advice}; the endpoint comes from {place}"),
        (None, Origin::Default) => {
            "check the network, and the proxy in `HTTPS_PROXY`; `--sts-endpoint` selects another endpoint".to_owned()
        }
        (None, place) => format!(
            "check the network, the proxy in `HTTPS_PROXY`, and the endpoint, which comes from {place}"
        ),
    }
}

/// Returns what to do about a refusal (STS API reference, error codes).
fn remedy(
    refusal: &StsRefusal,
    reply: &HttpReply,
    origins: &CallOrigins<'_>,
    moment: &Moment,
) -> String {
    let correct = |origin: Option<&Origin>, what: &str| match origin {
        Some(origin) => format!("correct {what}: {origin}"),
        None => format!("correct {what}"),
    };
    match &*refusal.code {
        "NoPermission" => "attach the policy `AliyunSTSAssumeRoleAccess` to the owner of the key, and add the owner to the trust policy of the role, with the external ID that it requires; the key of an account (root) cannot assume roles".to_owned(),
        "EntityNotExist.Role" | "InvalidParameter.RoleArn" => correct(Some(origins.role), "the ARN of the role"),
        "InvalidParameter.RoleSessionName" => correct(origins.name, "the session name"),
        "InvalidParameter.DurationSeconds" => match origins.seconds {
            Some(origin) => format!("shorten the session to the maximum of the role: {origin}"),
            None => "set `--duration` to at most the maximum of the role".to_owned(),
        },
        "InvalidParameter.PolicyGrammar" => correct(origins.policy, "the policy"),
        "AuthenticationFail.NoPermission" => "check the trust policy of the role, and that the account has this OIDC provider".to_owned(),
        code if code.starts_with("AuthenticationFail.OIDCToken.") => format!(
            "check {}: its issuer and audience must be those of the OIDC provider, and it must not have expired",
            origins.credential.text
        ),
        "InvalidTimeStamp.Expired" => clock_remedy(reply, moment),
        "SignatureDoesNotMatch" => match origins.credential.secret {
            Some(origin) => format!("correct the access key secret: {origin}"),
            None => format!("check {}", origins.credential.text),
        },
        code if origins.credential.is_cached && is_about_key(code) => {
            "run `ack-ram-authenticator cache clear`: STS no longer accepts the key in the cache, and the next login obtains a new key".to_owned()
        }
        code if code.starts_with("InvalidAccessKeyId") => {
            format!("check {}", origins.credential.text)
        }
        code if is_about_key(code) => {
            match &origins.credential.sign_in {
                Some(command) => format!("sign in again: run `{command}`"),
                None => format!(
                    "get a new temporary key, or sign in again, to replace {}",
                    origins.credential.text
                ),
            }
        }
        _ => "look up the code in the STS API reference".to_owned(),
    }
}

/// Returns whether a refusal means that the key itself is not valid, or no longer.
fn is_about_key(code: &str) -> bool {
    code.starts_with("InvalidAccessKeyId")
        || code.starts_with("InvalidSecurityToken")
        || code == "MissingSecurityToken"
}

fn clock_remedy(reply: &HttpReply, moment: &Moment) -> String {
    let date = match reply {
        HttpReply::Response(response) => response.date,
        HttpReply::TooLarge | HttpReply::Failed(_) => None,
    };
    match date.map(|date| moment.now.seconds_since(date)) {
        Some(ahead @ 1..) => {
            format!("set the clock of this machine: it is {ahead} s ahead of the clock of STS")
        }
        Some(behind @ ..0) => format!(
            "set the clock of this machine: it is {} s behind the clock of STS",
            behind.unsigned_abs()
        ),
        Some(0) | None => "set the clock of this machine".to_owned(),
    }
}

#[cfg(test)]
mod tests;
