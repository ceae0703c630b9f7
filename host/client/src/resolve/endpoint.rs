//! The STS endpoint, by one order for every source: the option, the profile, the variables, the region, the global
//! endpoint.

use ack_ram_config::{EndpointError, StsEndpoint};

use crate::environment::Environment;
use crate::error::SetupError;
use crate::origin::{Origin, Setting};
use crate::resolve::values::Values;
use crate::settings::Settings;

/// What decides about the endpoint besides a profile.
#[derive(Clone, Debug)]
pub(crate) struct EndpointSettings {
    option: Option<Setting<String>>,
    variable: Option<Setting<String>>,
    region: Option<Setting<String>>,
    /// The region of the variable of the SDK, which has a switch for the endpoint inside VPCs.
    sdk_region: Option<Setting<String>>,
    in_vpc: bool,
    /// Whether a host without a scheme is called by `http`.
    is_plain: bool,
}

impl EndpointSettings {
    /// Collects the settings.
    pub(crate) fn collect(settings: &Settings, environment: &Environment) -> Self {
        let variable = |name: &'static str| {
            let value = environment.get(name)?;
            Some(Setting::new(value.to_owned(), Origin::Variable(name)))
        };
        let scheme = environment.get("ALIBABA_CLOUD_STS_HTTP_SCHEME");
        Self {
            option: settings.sts_endpoint.clone(),
            variable: variable("ALIBABA_CLOUD_STS_ENDPOINT"),
            region: settings.region.clone(),
            sdk_region: variable("ALIBABA_CLOUD_STS_REGION"),
            in_vpc: environment.is_true("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"),
            is_plain: scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")),
        }
    }

    /// Returns the endpoint for a role of `profile`; `None` for a role that no profile names.
    pub(super) fn endpoint_for(
        &self,
        profile: Option<&Values<'_>>,
    ) -> Result<Setting<StsEndpoint>, SetupError> {
        if let Some(option) = &self.option {
            return self.parse(&option.value, &option.origin);
        }
        if let Some(profile) = profile {
            if let Some(endpoint) = profile.text("sts_endpoint")? {
                return self.parse(endpoint.value, &endpoint.origin);
            }
            if let Some(region) = profile.text("sts_region")? {
                let in_vpc = profile.switch("enable_vpc")?;
                return in_region(region.value, &region.origin, in_vpc);
            }
        }
        if let Some(variable) = &self.variable {
            return self.parse(&variable.value, &variable.origin);
        }
        match (&self.region, &self.sdk_region) {
            (Some(region), _) => in_region(&region.value, &region.origin, false),
            (None, Some(region)) => in_region(&region.value, &region.origin, self.in_vpc),
            (None, None) => Ok(Setting::new(StsEndpoint::global(), Origin::Default)),
        }
    }

    fn parse(&self, text: &str, origin: &Origin) -> Result<Setting<StsEndpoint>, SetupError> {
        let endpoint = if self.is_plain && !text.contains("://") {
            StsEndpoint::parse(&format!("http://{text}"))
        } else {
            StsEndpoint::parse(text)
        };
        setting(endpoint, origin)
    }
}

fn in_region(
    region: &str,
    origin: &Origin,
    in_vpc: bool,
) -> Result<Setting<StsEndpoint>, SetupError> {
    let endpoint = if in_vpc {
        StsEndpoint::for_region(region)
    } else {
        StsEndpoint::for_public_region(region)
    };
    setting(endpoint, origin)
}

fn setting(
    endpoint: Result<StsEndpoint, EndpointError>,
    origin: &Origin,
) -> Result<Setting<StsEndpoint>, SetupError> {
    match endpoint {
        Ok(endpoint) => Ok(Setting::new(endpoint, origin.clone())),
        Err(error) => Err(SetupError::Endpoint {
            place: origin.clone(),
            error,
        }),
    }
}
