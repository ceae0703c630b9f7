//! The client with every source of an access key, against emulators of the services that issue keys. Each key signs a
//! token that a real server grants to the expected user.

mod case;
mod cli_profiles;
mod environment;
mod fixture;
mod ini_sections;
mod metadata;
mod proxies;
mod renewals;
mod requested_role;
mod role_sessions;
mod stored_sessions;
mod url;
