//! Requests through the whole of this crate to the operations over the reference store: what crosses the line between
//! the front, which sees headers, and the operations, which see permits.

mod access;
mod buckets;
mod completion;
mod support;
