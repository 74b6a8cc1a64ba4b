//! The server: configuration, first run, TLS, listeners and the admin API, wired to the S3 gateway and a store.
//!
//! Only this crate names concrete backends. What a request means is `s3`'s part, what an operation does is
//! `operations`'.

pub mod config;
pub mod hardening;
pub mod health;
pub mod http_server;
pub mod logging;
pub mod tls;

mod clock;
mod data_dir;
mod installation;
mod secret_file;
mod welcome;
