//! The token inspector's page as it ships, in a real Chromium.
//!
//! `ACK_RAM_INSPECTOR` names the folder of the page, `ACK_RAM_CORE_WASM` the decision's module, `ACK_RAM_AXE` axe-core's
//! script; pictures go to `ACK_RAM_SCREENSHOTS`. `cargo xtask test` builds and fetches all of it and sets the variables.

mod accessibility;
mod appearance;
mod core_module;
mod fixture;
mod hostile;
mod keyboard;
mod playground;
mod privacy;
mod sign;
mod size;
mod source;
mod texts;
