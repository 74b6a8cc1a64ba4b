//! The reference implementation: all in memory, obviously right, never fast.
