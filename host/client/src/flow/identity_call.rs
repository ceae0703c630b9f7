//! The call that asks STS who signed a token, as a server makes it: for `whoami` and `doctor`, and for the name of a
//! session.

use ack_ram_config::StsEndpoint;
use ack_ram_core::login::{self, AwaitingSts, Step, VerifiedIdentity};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::sts::StsError;

use crate::error::{ClientError, Refusal};
use crate::flow::Moment;
use crate::flow::sts_error::{self, CallOrigins, Credential};
use crate::http::{Call, CallLimits, HttpReply, HttpRequest, Method};
use crate::origin::{Origin, Setting};
use crate::plan::{HttpUrl, Plan};

/// A call that has not been answered.
pub(crate) struct IdentityCall {
    awaiting: AwaitingSts,
    endpoint: Setting<StsEndpoint>,
}

/// Where the key comes from that signed a token.
#[derive(Clone, Copy)]
pub(crate) struct SigningKey<'a> {
    pub(crate) plan: &'a Plan,
    /// Whether the cache has the key, so that the next login uses it again.
    pub(crate) is_cached: bool,
}

/// The reason why a call has no identity.
pub(crate) enum IdentityError {
    /// The same call may succeed after a pause.
    Temporary(ClientError),
    /// STS refused the key, or did not answer.
    Final(ClientError),
}

impl IdentityCall {
    /// Checks the token as a server with `policy` does, and makes the request to STS.
    pub(crate) fn new(
        token: &Secret,
        policy: &TokenPolicy,
        endpoint: Setting<StsEndpoint>,
        moment: &Moment,
    ) -> Result<(Self, HttpRequest), ClientError> {
        let awaiting = match login::begin(token.expose(), policy, moment.now) {
            Step::CallSts(awaiting) => awaiting,
            Step::Decided(decision) => {
                let reason = decision.public_message();
                let reason = reason.unwrap_or_else(|| "it is not recognized".to_owned());
                return Err(ClientError::Refused(Refusal {
                    cause: format!("the token would be refused: {reason}"),
                    remedy: "correct the setting that the message names".to_owned(),
                }));
            }
        };
        let sts = awaiting.request();
        let base = HttpUrl::parse(&endpoint.value.to_string()).map_err(|fault| {
            ClientError::Refused(Refusal {
                cause: format!("the STS endpoint `{}` {fault}", endpoint.value),
                remedy: format!("correct the endpoint: {}", endpoint.origin),
            })
        })?;
        let request = HttpRequest {
            call: Call::GetCallerIdentity,
            method: Method::Post,
            base,
            path_and_query: sts.path_and_query().clone(),
            headers: sts
                .headers()
                .map(|(name, value)| (name, Secret::clone(value)))
                .collect(),
            body: Secret::new(""),
            limits: CallLimits::INTERNET,
        };
        Ok((Self { awaiting, endpoint }, request))
    }

    /// Reads the reply. `key` is the key that signed the token.
    pub(crate) fn read(
        self,
        reply: &HttpReply,
        key: SigningKey<'_>,
        moment: &Moment,
    ) -> Result<VerifiedIdentity, IdentityError> {
        let reply_of_sts = sts_error::sts_reply(reply);
        let result = self.awaiting.resume(reply_of_sts, moment.now);
        result.map_err(|error| {
            let is_temporary = sts_error::is_temporary(&error);
            let error = explain(&error, reply, &self.endpoint, key, moment);
            match is_temporary {
                true => IdentityError::Temporary(error),
                false => IdentityError::Final(error),
            }
        })
    }
}

fn explain(
    error: &StsError,
    reply: &HttpReply,
    endpoint: &Setting<StsEndpoint>,
    key: SigningKey<'_>,
    moment: &Moment,
) -> ClientError {
    let credential = Credential {
        is_cached: key.is_cached,
        ..Credential::of_plan(key.plan)
    };
    let origins = CallOrigins {
        call: Call::GetCallerIdentity,
        subject: credential.text.clone(),
        endpoint,
        credential,
        role: &Origin::Default,
        name: None,
        seconds: None,
        policy: None,
    };
    sts_error::explain(error, reply, &origins, moment)
}
