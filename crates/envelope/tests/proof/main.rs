//! The proof of the envelope, from outside: what anybody who holds the stored bytes can try, by name, and what must be
//! true of every input.
//!
//! Only the public interface is used, the way the operations use it. Units stand beside the code, and the stored bytes
//! themselves are held by the vectors; neither is repeated here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

// The name that the rest of the workspace knows the crate by.
extern crate canopic_envelope as envelope;

mod arbitrary_bytes;
mod attacks;
mod round_trips;
mod support;
