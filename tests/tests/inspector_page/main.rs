//! The release build of the token inspector's page in a real Chromium.
//!
//! `cargo xtask test` builds and downloads the requirements and sets these variables: `ACK_RAM_INSPECTOR` is the folder
//! of the page, `ACK_RAM_CORE_WASM` the module of the decision, `ACK_RAM_AXE` the script of axe-core, and
//! `ACK_RAM_SCREENSHOTS` the folder for screenshots.

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
