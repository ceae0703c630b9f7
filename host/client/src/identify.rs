//! Asks STS whose key signed a token.

use ack_ram_config::StsEndpoint;
use ack_ram_core::identity::Identity;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;

use crate::error::ClientError;
use crate::flow::identity_call::{IdentityCall, IdentityError, SigningKey};
use crate::http::{HttpReply, HttpResponse};
use crate::obtain::Client;
use crate::origin::Setting;
use crate::plan::Plan;
use crate::resolve::sts_endpoint;

/// What STS said about the owner of a key.
#[derive(Clone, Debug)]
pub struct CallerIdentity {
    /// The identity.
    pub identity: Identity,
    /// The clock of STS at the time of the reply, if the reply says so.
    pub sts_time: Option<UnixTime>,
    /// The clock of this machine at the time of the reply.
    pub own_time: UnixTime,
}

impl Client<'_> {
    /// Asks STS who signed `token`, a token with the key of `plan`, after the checks of a server with `policy`.
    ///
    /// # Errors
    /// Returns an error if the checks fail, if STS refuses the key, or if STS does not answer.
    pub fn identify(
        &mut self,
        token: &Secret,
        policy: &TokenPolicy,
        plan: &Plan,
    ) -> Result<CallerIdentity, ClientError> {
        let first = match self.ask(token, policy, plan) {
            Ok(identity) => return Ok(identity),
            Err(IdentityError::Final(error)) => return Err(error),
            Err(IdentityError::Temporary(error)) => error,
        };
        if !self.driver.wait(self.driver.moment().pause) {
            return Err(first);
        }
        self.ask(token, policy, plan).map_err(|error| match error {
            IdentityError::Temporary(error) | IdentityError::Final(error) => error,
        })
    }

    fn ask(
        &mut self,
        token: &Secret,
        policy: &TokenPolicy,
        plan: &Plan,
    ) -> Result<CallerIdentity, IdentityError> {
        let endpoint = match plan.last_endpoint() {
            Some(endpoint) => endpoint.clone(),
            None => sts_endpoint(self.settings, self.environment)
                .map_err(|error| IdentityError::Final(error.into()))?,
        };
        let moment = self.driver.moment();
        let (call, request) =
            IdentityCall::new(token, policy, endpoint, &moment).map_err(IdentityError::Final)?;
        let reply = self.driver.send(request, self.findings);
        let reply = reply.map_err(IdentityError::Final)?;
        let moment = self.driver.moment();
        let key = SigningKey {
            plan,
            is_cached: self.has_cached_key(plan),
        };
        let verified = call.read(&reply, key, &moment)?;
        Ok(CallerIdentity {
            identity: verified.identity().clone(),
            sts_time: match reply {
                HttpReply::Response(HttpResponse { date, .. }) => date,
                HttpReply::TooLarge | HttpReply::Failed(_) => None,
            },
            own_time: moment.now,
        })
    }
}

impl Plan {
    /// Returns the STS endpoint that issues the key; `None` if STS does not issue the key.
    fn last_endpoint(&self) -> Option<&Setting<StsEndpoint>> {
        match self {
            Self::AssumeRole(plan) => Some(&plan.session.endpoint),
            Self::Oidc(plan) => Some(&plan.session.endpoint),
            Self::Key(_)
            | Self::Metadata(_)
            | Self::Url(_)
            | Self::Process(_)
            | Self::CloudSso(_)
            | Self::OAuth(_) => None,
        }
    }
}
