//! Variables that switch a source off, as the official clients read them.

use crate::environment::Environment;
use crate::error::SetupError;
use crate::origin::Origin;
use crate::plan::MetadataTokens;

/// Returns the variable that makes the file of the CLI ignored.
pub(super) fn cli_file_switch(environment: &Environment) -> Option<&'static str> {
    const DISABLED: &str = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";
    if environment.is_true(DISABLED) {
        return Some(DISABLED);
    }
    // The CLI ignores its file only for `TRUE`. A file that the CLI uses must not be passed over for another source.
    [
        "ALIBABA_CLOUD_IGNORE_PROFILE",
        "ALIBABACLOUD_IGNORE_PROFILE",
    ]
    .into_iter()
    .find(|name| environment.get(name) == Some("TRUE"))
}

/// Refuses the metadata service if a variable switches it off.
pub(super) fn check_metadata(
    environment: &Environment,
    selected_by: &Origin,
) -> Result<(), SetupError> {
    check(
        environment.is_true(METADATA_DISABLED),
        METADATA_DISABLED,
        "the metadata service",
        selected_by,
    )
}

/// Refuses a process or a URL if a variable switches both off.
pub(super) fn check_external(
    environment: &Environment,
    what: &'static str,
    selected_by: &Origin,
) -> Result<(), SetupError> {
    let is_off =
        environment.is_true(EXTERNAL_DISABLED) || environment.get(EXTERNAL_DISABLED) == Some("1");
    check(is_off, EXTERNAL_DISABLED, what, selected_by)
}

/// Returns whether requests to the metadata service carry a metadata token.
pub(super) fn metadata_tokens(environment: &Environment) -> Result<MetadataTokens, SetupError> {
    const V1_DISABLED: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";
    const V2_DISABLED: &str = "ALIBABA_CLOUD_IMDSV2_DISABLED";
    match (
        environment.is_true(V1_DISABLED),
        environment.is_true(V2_DISABLED),
    ) {
        (false, false) => Ok(MetadataTokens::Preferred),
        (true, false) => Ok(MetadataTokens::Required),
        (false, true) => Ok(MetadataTokens::Disabled),
        (true, true) => Err(SetupError::Conflict(
            Origin::Variable(V1_DISABLED),
            Origin::Variable(V2_DISABLED),
        )),
    }
}

const METADATA_DISABLED: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
const EXTERNAL_DISABLED: &str = "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS";

fn check(
    is_off: bool,
    switch: &'static str,
    what: &'static str,
    selected_by: &Origin,
) -> Result<(), SetupError> {
    if !is_off {
        return Ok(());
    }
    Err(SetupError::SwitchedOff {
        selected_by: selected_by.clone(),
        what,
        switch,
    })
}
