//! What the operations promise, proved from outside: through the public interface, over the reference store, with
//! ports that fail and dawdle on demand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

// The name that the rest of the workspace knows the crate by.
extern crate canopic_operations as operations;

mod attacks;
mod authorize;
mod buckets;
mod copy_object;
mod damage;
mod damage_removed;
mod export_sealed;
mod faults;
mod get_object;
mod list_objects;
mod listing_cost;
mod multipart;
mod put_object;
mod races;
mod random_operations;
mod rekey;
mod rewrap;
mod support;
mod users;
mod verify_at_rest;
