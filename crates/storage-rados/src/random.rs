//! Random numbers that only have to be different.

use rustix::rand::{GetRandomFlags, getrandom};

/// Bytes from the system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let filled = getrandom(&mut bytes, GetRandomFlags::empty());
    // Up to 256 bytes come whole once the system has been seeded, and until then the call waits.
    assert_eq!(filled, Ok(N), "the system gives random bytes");
    bytes
}

/// A number from the system.
pub(crate) fn random_u64() -> u64 {
    u64::from_ne_bytes(random())
}
