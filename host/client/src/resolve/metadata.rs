//! The metadata service of an ECS instance.

use crate::environment::Environment;
use crate::error::SetupError;
use crate::origin::{Origin, Setting};
use crate::plan::{HttpUrl, MetadataPlan};
use crate::resolve::switches;

/// The address of the service (ECS user guide, instance metadata).
const DEFAULT_ENDPOINT: &str = "http://100.100.100.200";

/// Makes the plan for `role`; `None` to ask the service for the name of the role.
pub(super) fn plan(
    environment: &Environment,
    role: Option<&Setting<&str>>,
    selected_by: Origin,
) -> Result<MetadataPlan, SetupError> {
    switches::check_metadata(environment, &selected_by)?;
    Ok(MetadataPlan {
        endpoint: endpoint(environment)?,
        role: role.map(|role| Setting::new(role.value.to_owned(), role.origin.clone())),
        tokens: switches::metadata_tokens(environment)?,
        origin: selected_by,
    })
}

fn endpoint(environment: &Environment) -> Result<HttpUrl, SetupError> {
    const VARIABLE: &str = "ALIBABA_CLOUD_IMDS_ENDPOINT";
    let text = environment.get(VARIABLE).unwrap_or(DEFAULT_ENDPOINT);
    let url = if text.contains("://") {
        HttpUrl::parse(text)
    } else {
        HttpUrl::parse(&format!("http://{text}"))
    };
    url.map_err(|fault| SetupError::Url {
        place: Origin::Variable(VARIABLE),
        fault,
    })
}
