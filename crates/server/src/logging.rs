//! The log: to standard error, text for people or JSON for machines, and never a secret.
//!
//! Levels are the operator's choice for our own code only. Other people's code logs what it likes at its lower levels
//! (s3s, at debug, the text that a signature is made of, and with signature V2 that text holds the customer key), so
//! [`may_log`] stands between it and every output, and no directive can move it. Events of the `log` crate are not
//! taken in at all.

use std::io::IsTerminal as _;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Filter, Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Registry};

use crate::config::{LogFormat, LogLevels};

/// The log was set up before.
#[derive(Debug, thiserror::Error)]
#[error("the log is already set up")]
pub struct AlreadySetUp;

/// Sends the log of the whole process to standard error.
///
/// # Errors
/// [`AlreadySetUp`] the second time.
pub fn set_up(levels: &LogLevels, format: LogFormat) -> Result<(), AlreadySetUp> {
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let subscriber = subscriber(levels, json, std::io::stderr);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| AlreadySetUp)
}

/// A subscriber that writes to `writer` what `levels` asks for and [`may_log`] allows.
pub fn subscriber<W>(levels: &LogLevels, json: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let output = tracing_subscriber::fmt::layer().with_writer(writer);
    let output = if json {
        output.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        output.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    tracing_subscriber::registry().with(output.with_filter(filter::<Registry>(levels)))
}

fn filter<S>(levels: &LogLevels) -> impl Filter<S> + Send + Sync + 'static
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    use tracing_subscriber::filter::FilterExt;
    // Parsed here from a text that was valid before, so no directive is ignored.
    let asked = EnvFilter::builder().parse_lossy(levels.as_str());
    FilterExt::<S>::and(FilterFn::new(may_log), asked)
}

/// Whether an event may be logged, whatever anybody asks for: our own code at every level, other people's from `warn`
/// up, s3s never.
#[must_use]
pub fn may_log(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let krate = target.split(':').next().unwrap_or_default();
    let ours = krate == "canopic" || krate.starts_with("canopic_");
    // The errors of s3s quote headers.
    ours || (krate != "s3s" && *metadata.level() <= Level::WARN)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::Value as _;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(levels: &str, json: bool, log: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = subscriber(&LogLevels::parse(levels).unwrap(), json, move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(captured.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn no_directive_makes_s3s_speak() {
        for levels in ["trace", "s3s=trace", "trace,s3s=trace,s3s::ops=trace", "s3s[span]=trace", "[span{key}]=trace"] {
            let log = logged(levels, true, || {
                tracing::span!(target: "s3s::span", Level::ERROR, "span", key = "hush").in_scope(|| {
                    tracing::debug!(target: "s3s::ops::signature", string_to_sign = "hush");
                    tracing::error!(target: "s3s", "hush");
                    tracing::error!(target: "canopic_s3", "ours");
                });
            });
            assert!(!log.contains("hush"), "{levels}: {log}");
        }
    }

    #[test]
    fn no_directive_makes_other_crates_speak_below_warn() {
        for target in ["hyper", "h2", "rustls"] {
            let log = logged("trace,hyper=trace,h2=trace,rustls=trace", false, || match target {
                "hyper" => {
                    tracing::info!(target: "hyper::proto", "hush");
                    tracing::warn!(target: "hyper::proto", "heard");
                }
                "h2" => {
                    tracing::debug!(target: "h2::codec", "hush");
                    tracing::warn!(target: "h2::codec", "heard");
                }
                _ => {
                    tracing::trace!(target: "rustls::conn", "hush");
                    tracing::warn!(target: "rustls::conn", "heard");
                }
            });
            assert!(!log.contains("hush") && log.contains("heard"), "{log}");
        }
    }

    #[test]
    fn our_own_code_follows_the_levels() {
        let log = |levels| logged(levels, false, || tracing::debug!(target: "canopic_s3::x", "word"));
        assert!(log("canopic_s3=debug").contains("word"));
        assert!(log("info,canopic_s3::x=trace").contains("word"));
        assert!(!log("info").contains("word"));
    }

    #[test]
    fn json_is_one_object_a_line() {
        let log = logged("info", true, || tracing::info!(target: "canopic::request", status = 200, path = "/a\n\"b"));
        let object: serde_json::Value = serde_json::from_str(log.trim_end()).unwrap();
        assert_eq!(object["path"], "/a\n\"b");
        assert_eq!(object["target"], "canopic::request");
    }
}
