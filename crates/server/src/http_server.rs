//! The HTTP side of the server: listeners, connections, and what every request goes through.
//!
//! What a request means is not known here. Something that implements [`Answer`] says so; this module protects it:
//! connections are counted, handshakes, headers and bodies have time limits, HTTP/2 has limits against floods of
//! resets and headers, and a stop lets running requests finish. Every request leaves one line in the log.

mod answer;
mod body;
mod connection;
mod listener;
mod request_log;
mod service;
mod stack;
mod wiped_reads;

pub use answer::{Answer, BoxError, Connection, RequestFacts};
pub use body::{ReceivedBody, Stalled};
pub use listener::{HttpServer, Scheme};
pub use service::Service;
pub(crate) use service::json;
