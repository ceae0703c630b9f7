//! A program that does nothing. Benchmarks compare the client with it.

fn main() {}
