//! What the module exports: memory, and one function over it.
#![allow(
    unsafe_code,
    reason = "a WebAssembly host passes memory as addresses; every block is as `alloc` or `run` gave it"
)]

use std::slice;

/// Gives `length` zeroed bytes for the host to write to, until `dealloc`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn alloc(length: usize) -> *mut u8 {
    Box::into_raw(vec![0_u8; length].into_boxed_slice()).cast()
}

/// Takes back a block.
///
/// # Safety
/// `address` and `length` are of one block from `alloc` or `run` that has not been taken back.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dealloc(address: *mut u8, length: usize) {
    // SAFETY: by the contract above, this is the box that `into_raw` gave away.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(address, length)) });
}

/// Runs [`crate::run`] on a block. The answer is a block of its own: address in the upper half, length in the lower.
///
/// # Safety
/// `address` and `length` are of one block from `alloc`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn run(address: *const u8, length: usize) -> u64 {
    // SAFETY: by the contract above, the block is readable, and nothing writes to it during the call.
    let input = unsafe { slice::from_raw_parts(address, length) };
    let output = crate::run(input).into_boxed_slice();
    let length = output.len() as u64;
    (Box::into_raw(output).cast::<u8>() as u64) << 32 | length
}
