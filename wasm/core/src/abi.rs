//! The exports of the module: memory management, and one function that works on memory blocks.
#![allow(
    unsafe_code,
    reason = "a WebAssembly host passes memory as addresses; every block comes from `alloc` or `run`"
)]

use std::slice;

/// Allocates a block of `length` zeroed bytes for the host to write to. The block is valid until `dealloc`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn alloc(length: usize) -> *mut u8 {
    Box::into_raw(vec![0_u8; length].into_boxed_slice()).cast()
}

/// Frees a block.
///
/// # Safety
/// `address` and `length` must describe a block from `alloc` or `run` that has not been freed.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dealloc(address: *mut u8, length: usize) {
    // SAFETY: by the contract above, this is a box that `into_raw` released.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(address, length)) });
}

/// Runs [`crate::run`] on a block. Returns a new block with the output: its address in the upper 32 bits, its length in
/// the lower 32 bits.
///
/// # Safety
/// `address` and `length` must describe a block from `alloc`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn run(address: *const u8, length: usize) -> u64 {
    // SAFETY: by the contract above, the block is readable, and nothing writes to it during the call.
    let input = unsafe { slice::from_raw_parts(address, length) };
    let output = crate::run(input).into_boxed_slice();
    let length = output.len() as u64;
    (Box::into_raw(output).cast::<u8>() as u64) << 32 | length
}
