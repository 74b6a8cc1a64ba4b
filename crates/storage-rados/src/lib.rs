//! The backend of many gateways: records in the omap of RADOS objects, blobs in striped RADOS objects.
//!
//! [`RadosStore`] implements the ports of `storage` on an existing Ceph cluster. What it is made of, from the bottom:
//!
//! - `rados`: what is asked of RADOS, as data; `librados`: the C library, opened at run time; `model`: the same in memory,
//!   for tests;
//! - `names`: how everything is named; `placements`: which pools a scope uses;
//! - `map`, `index`: which index object holds a partition, and atomic changes of it;
//! - `blobs`: bytes in stripes; `links`: who owns them; `collector`: what nobody owns goes.
//!
//! Deliberately absent: any state of a gateway that another would miss, transactions over several objects, classes of our
//! own on the OSDs. The layout and why each commit is atomic: docs/decisions/0008.

mod blobs;
mod change;
mod clock;
mod collector;
mod config;
mod connect_error;
mod error;
mod growth;
mod index;
mod lanes;
mod leases;
mod librados;
mod links;
mod map;
#[cfg(test)]
mod model;
mod names;
mod placements;
mod presence;
mod rados;
mod random;
mod retire;
mod root;
mod split;
mod status;
mod store;
mod system_cache;

pub use config::{Config, Placement, SplitAt};
pub use connect_error::ConnectError;
pub use librados::{LibradosError, SessionEnd};
pub use store::RadosStore;
