//! What plans need besides a source: the metadata service, URLs, session names, external IDs, and the STS endpoint.

use crate::model::Model;
use crate::outcome::{Kind, Tokens, Way};
use crate::values;

/// What a profile says about the STS endpoint. A value that is not needed may be wrong.
#[derive(Clone, Debug)]
pub(crate) struct Regional {
    pub(crate) sts_endpoint: Result<Option<String>, Kind>,
    pub(crate) sts_region: Result<Option<String>, Kind>,
    pub(crate) enable_vpc: Result<bool, Kind>,
}

impl Default for Regional {
    fn default() -> Self {
        Self {
            sts_endpoint: Ok(None),
            sts_region: Ok(None),
            enable_vpc: Ok(false),
        }
    }
}

impl Model<'_> {
    /// Returns the metadata service. Choice: a service that is selected and switched off at once is an error, and so
    /// are the two switches that leave no version of the service.
    pub(crate) fn metadata(&self, role: Option<String>) -> Result<Way, Kind> {
        if self.switch_is_on("ALIBABA_CLOUD_ECS_METADATA_DISABLED") {
            return Err(Kind::SwitchedOff);
        }
        let endpoint = self.variable("ALIBABA_CLOUD_IMDS_ENDPOINT");
        let endpoint = endpoint.as_deref().unwrap_or("http://100.100.100.200");
        // Choice: a host without a scheme is called by `http`, as the service is.
        let endpoint = match endpoint.contains("://") {
            true => values::url(endpoint)?,
            false => values::url(&format!("http://{endpoint}"))?,
        };
        let without_v1 = self.switch_is_on("ALIBABA_CLOUD_IMDSV1_DISABLED");
        let without_v2 = self.switch_is_on("ALIBABA_CLOUD_IMDSV2_DISABLED");
        let tokens = match (without_v1, without_v2) {
            (true, true) => return Err(Kind::Conflict),
            (true, false) => Tokens::Required,
            (false, true) => Tokens::Disabled,
            (false, false) => Tokens::Preferred,
        };
        Ok(Way::Metadata {
            endpoint,
            role,
            tokens,
        })
    }

    /// Returns the URL of a service that issues a key.
    pub(crate) fn url(&self, url: &str) -> Result<Way, Kind> {
        match self.external_sources_are_off() {
            true => Err(Kind::SwitchedOff),
            false => Ok(Way::Url(values::url(url)?)),
        }
    }

    /// Returns whether processes and URLs are switched off.
    pub(crate) fn external_sources_are_off(&self) -> bool {
        const SWITCH: &str = "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS";
        self.switch_is_on(SWITCH) || self.variable(SWITCH).as_deref() == Some("1")
    }

    /// Returns the name of a session that no profile names.
    pub(crate) fn default_session_name(&self, default: &str) -> Result<String, Kind> {
        let variable = self.first_variable(&[
            "ALIBABA_CLOUD_ROLE_SESSION_NAME",
            "ALICLOUD_ROLE_SESSION_NAME",
        ]);
        values::session_name(variable.as_deref().unwrap_or(default))
    }

    /// Returns the external ID of a role that has none of its own. ack-ram-tool sends none.
    pub(crate) fn external_id_variable(&self) -> Result<Option<String>, Kind> {
        let variable = self.variable("ALIBABA_CLOUD_EXTERNAL_ID");
        variable.map(|id| values::external_id(&id)).transpose()
    }

    /// Returns the STS endpoint, in the one order for every source.
    pub(crate) fn endpoint(&self, profile: &Regional) -> Result<String, Kind> {
        let scheme = self.variable("ALIBABA_CLOUD_STS_HTTP_SCHEME");
        // Choice: any other scheme is `https`, which is safe.
        let scheme = match scheme.as_deref() {
            Some("http") => "http",
            _ => "https",
        };
        let given = |text: Option<String>| text.map(|text| values::endpoint(&text, scheme));
        let region = |text: Option<String>, vpc: bool| {
            let text = text?;
            let service = if vpc { "sts-vpc" } else { "sts" };
            Some(
                values::region(&text)
                    .map(|region| format!("https://{service}.{region}.aliyuncs.com")),
            )
        };
        let options = &self.world.options;
        let in_vpc = self.switch_is_on("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED");
        given(options.sts_endpoint.map(str::to_owned))
            .or_else(|| given(self.variable("ACK_RAM_TOOL_STS_ENDPOINT")))
            .or_else(|| match profile.sts_endpoint.clone() {
                Ok(text) => given(text),
                Err(kind) => Some(Err(kind)),
            })
            .or_else(|| match (profile.sts_region.clone(), profile.enable_vpc) {
                (Ok(None), _) => None,
                (Ok(text), Ok(is_on)) => region(text, is_on),
                (Err(kind), _) | (_, Err(kind)) => Some(Err(kind)),
            })
            .or_else(|| given(self.variable("ALIBABA_CLOUD_STS_ENDPOINT")))
            .or_else(|| region(options.region.map(str::to_owned), false))
            .or_else(|| region(self.variable("ACK_RAM_TOOL_REGION_ID"), false))
            .or_else(|| region(self.variable("ALIBABA_CLOUD_STS_REGION"), in_vpc))
            .unwrap_or_else(|| Ok("https://sts.aliyuncs.com".to_owned()))
    }
}
