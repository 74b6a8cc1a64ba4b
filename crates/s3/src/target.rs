//! What a request names: the service, a bucket, an object, or one of the server's own paths.

use std::borrow::Cow;
use std::sync::Arc;

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, header};
use model::BucketName;
use percent_encoding::percent_decode_str;
use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};
use s3s::validation::NameValidation;

use crate::refusal::Refusal;

/// The domains below which a host name's first labels are a bucket. Every other host is addressed by path.
#[derive(Debug, Clone, Default)]
pub struct Domains(Arc<[String]>);

/// The text is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a domain name: {0}")]
pub struct InvalidDomain(String);

impl Domains {
    /// Takes domain names, without ports; upper case is folded.
    ///
    /// # Errors
    /// [`InvalidDomain`] for the first one that is none.
    pub fn new<T: AsRef<str>>(domains: impl IntoIterator<Item = T>) -> Result<Self, InvalidDomain> {
        let parse = |domain: T| {
            let domain = domain.as_ref().to_ascii_lowercase();
            let label_ok = |label: &str| {
                let charset = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                (1..=63).contains(&label.len()) && charset
            };
            if domain.split('.').all(label_ok) { Ok(domain) } else { Err(InvalidDomain(domain)) }
        };
        let mut domains = domains.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        // The longest match wins: `a.example` may be a domain beside `example`.
        domains.sort_by_key(|domain| std::cmp::Reverse(domain.len()));
        Ok(Self(domains.into()))
    }

    /// The bucket that a `Host` value names.
    fn bucket<'h>(&self, host: &'h str) -> Option<&'h str> {
        let host = without_port(host);
        let host = host.strip_suffix('.').unwrap_or(host);
        for domain in self.0.iter() {
            let Some(split) = host.len().checked_sub(domain.len()) else { continue };
            let Some((bucket, tail)) = host.split_at_checked(split) else { continue };
            if !tail.eq_ignore_ascii_case(domain) {
                continue;
            }
            return match bucket {
                "" => None,
                _ => match bucket.strip_suffix('.') {
                    Some(bucket) => Some(bucket),
                    None => continue,
                },
            };
        }
        None
    }
}

/// The same reading of the host for `s3s`, whose own ones take every unknown host name for a bucket.
impl S3Host for Domains {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let virtual_host = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            Some(bucket) => virtual_host.with_bucket(bucket),
            None => virtual_host,
        })
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Service,
    Bucket,
    Object,
    /// `/-/health` and below.
    Health,
    /// `/-/admin` and below.
    Admin,
}

/// Reads the target exactly as `s3s` will, plus the server's own paths.
///
/// Returns it with the resource that error documents name.
pub(crate) fn resolve(domains: &Domains, headers: &HeaderMap, uri: &Uri) -> Result<(Target, String), Refusal> {
    let path = uri.path();
    let decoded = unescaped(path).ok_or_else(|| {
        Refusal::new(http::StatusCode::BAD_REQUEST, "InvalidURI", "Couldn't parse the specified URI.")
    })?;
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default()).unwrap_or_default();
    // `s3s` does not ask about an address, and an address is never below a domain.
    if let Some(bucket) = domains.bucket(host) {
        let target = if decoded.len() > 1 { Target::Object } else { Target::Bucket };
        return Ok((target, format!("/{bucket}{path}")));
    }
    let target = match decoded.strip_prefix('/').and_then(|rest| rest.split_once('/')) {
        Some(("-", rest)) => own_path(rest)?,
        Some((_, "")) => Target::Bucket,
        Some(_) => Target::Object,
        None if decoded.len() > 1 => Target::Bucket,
        None => Target::Service,
    };
    Ok((target, path.to_owned()))
}

/// The path without escapes. `None` when one is broken, which a decoder would take for the name it stands in, or when
/// they hide what is no text.
fn unescaped(path: &str) -> Option<Cow<'_, str>> {
    let is_escape =
        |rest: &str| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let all_whole = path.split('%').skip(1).all(is_escape);
    all_whole.then(|| percent_decode_str(path).decode_utf8().ok()).flatten()
}

fn own_path(rest: &str) -> Result<Target, Refusal> {
    match rest.split('/').next() {
        Some("health") => Ok(Target::Health),
        Some("admin") => Ok(Target::Admin),
        _ => Err(no_such_path()),
    }
}

pub(crate) fn no_such_path() -> Refusal {
    Refusal::new(http::StatusCode::NOT_FOUND, "NoSuchPath", "There is nothing at this path.")
}

/// HTTP/2 names the host in `:authority` (RFC 9113 section 8.3.1); signatures and we read `Host`. Both must agree.
pub(crate) fn settle_host(headers: &mut HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    let authority = uri.authority().map(Authority::as_str);
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    match (authority, host) {
        (Some(authority), None) => {
            let value = HeaderValue::from_str(authority)
                .map_err(|_| Refusal::invalid_request("The :authority of the request is malformed."))?;
            headers.insert(header::HOST, value);
            Ok(())
        }
        (Some(authority), Some(host)) if !authority.as_bytes().eq_ignore_ascii_case(host) => {
            Err(Refusal::invalid_request("The Host header does not match the :authority of the request."))
        }
        _ => Ok(()),
    }
}

/// Which names `s3s` takes for buckets: ours, and the server's own path for a request that was found to be one.
pub(crate) struct Names {
    pub(crate) admin: bool,
}

impl NameValidation for Names {
    fn validate_bucket_name(&self, name: &str) -> bool {
        (self.admin && name == "-") || BucketName::parse(name).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_escape_is_no_part_of_a_name() {
        assert_eq!(unescaped("/b/a%25%2e%2E%C3%BC+").as_deref(), Some("/b/a%..ü+"));
        for path in ["/b/%", "/b/%2", "/b/%zz", "/b/%2%35", "/b/%ff", "/b/%+1"] {
            assert_eq!(unescaped(path), None, "{path}");
        }
    }
}
