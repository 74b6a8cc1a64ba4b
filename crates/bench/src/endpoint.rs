//! Where a server is: its URL, its address, what its certificate must be, who signs.
//!
//! The name is resolved once and the address kept, so that the loopback check holds for every later connection.

use crate::args::{BenchArgs, ProcessList};
use crate::credentials::KeyPair;
use crate::error::BenchError;
use crate::sign::Credentials;
use crate::tls;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// One server to measure.
pub(crate) struct Endpoint {
    /// As given.
    pub url: String,
    /// `HOST:PORT` as it stands in the URL: the `Host` header.
    pub authority: String,
    pub address: SocketAddr,
    /// Absent for plain HTTP.
    pub tls: Option<TlsTarget>,
    pub credentials: Arc<Credentials>,
    /// Processes of the server on this machine.
    pub processes: Vec<u32>,
}

pub(crate) struct TlsTarget {
    pub config: Arc<ClientConfig>,
    pub server_name: ServerName<'static>,
}

/// A URL, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Location {
    secure: bool,
    authority: String,
    host: String,
    port: u16,
}

impl Endpoint {
    /// All endpoints of the command line, in order.
    ///
    /// `environment` looks up a variable; it is an argument for the sake of tests.
    pub(crate) async fn all(
        args: &BenchArgs,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<Self>, BenchError> {
        let count = args.endpoints.len();
        let pairs = match args.credentials.as_slice() {
            [] => vec![KeyPair::from_environment(environment)?],
            files => files.iter().map(|file| KeyPair::from_file(file)).collect::<Result<_, _>>()?,
        };
        let mut endpoints = Vec::with_capacity(count);
        for (index, url) in args.endpoints.iter().enumerate() {
            let pair = one_of("--credentials", &pairs, index, count)?;
            let credentials = Credentials {
                access_key_id: pair.access_key_id.to_string(),
                secret_key: pair.secret_key.clone(),
                region: args.region.clone(),
            };
            let processes = processes_of(&args.processes, index, count)?;
            endpoints.push(Self::resolve(url, args, Arc::new(credentials), processes).await?);
        }
        Ok(endpoints)
    }

    async fn resolve(
        url: &str,
        args: &BenchArgs,
        credentials: Arc<Credentials>,
        processes: Vec<u32>,
    ) -> Result<Self, BenchError> {
        let location = Location::parse(url).ok_or_else(|| BenchError::InvalidEndpoint(url.to_owned()))?;
        let address = tokio::net::lookup_host((location.host.as_str(), location.port))
            .await
            .map_err(|error| BenchError::Resolve { endpoint: url.to_owned(), source: Some(error) })?
            // A loopback address is preferred, an IPv4 one first: `localhost` often names ::1 where nobody listens.
            .min_by_key(|address| (!is_loopback(address.ip()), address.is_ipv6()))
            .ok_or_else(|| BenchError::Resolve { endpoint: url.to_owned(), source: None })?;
        let loopback = is_loopback(address.ip());
        if !loopback && !args.allow_remote {
            return Err(BenchError::RemoteEndpoint(url.to_owned()));
        }
        if !loopback && args.insecure_skip_verify {
            return Err(BenchError::UnverifiedRemote(url.to_owned()));
        }
        let tls = if location.secure { Some(location.tls_target(url, args)?) } else { None };
        Ok(Self { url: url.to_owned(), authority: location.authority, address, tls, credentials, processes })
    }
}

impl Location {
    fn parse(url: &str) -> Option<Self> {
        let uri: http::Uri = url.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        let plain = uri.path() == "/" && uri.query().is_none() && !authority.as_str().contains('@');
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // `Authority::port` also says "none" for a port that is no number, so the text behind the host is read here.
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" if secure => 443,
            "" => 80,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        (plain && !host.is_empty()).then(|| Self { secure, authority: authority.to_string(), host, port })
    }

    fn tls_target(&self, url: &str, args: &BenchArgs) -> Result<TlsTarget, BenchError> {
        let server_name =
            ServerName::try_from(self.host.clone()).map_err(|_| BenchError::InvalidEndpoint(url.to_owned()))?;
        let config =
            if args.insecure_skip_verify { tls::unverified()? } else { tls::trusting(&args.certificate_authorities)? };
        Ok(TlsTarget { config: Arc::new(config), server_name })
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The value for an endpoint, of values that came once or once for each.
fn one_of<'a, T>(option: &'static str, values: &'a [T], index: usize, endpoints: usize) -> Result<&'a T, BenchError> {
    match values {
        [] => Err(BenchError::NoCredentials),
        [only] => Ok(only),
        each if each.len() == endpoints => Ok(&each[index]),
        some => Err(BenchError::CountMismatch { option, given: some.len(), endpoints }),
    }
}

fn processes_of(lists: &[ProcessList], index: usize, endpoints: usize) -> Result<Vec<u32>, BenchError> {
    if endpoints == 1 {
        return Ok(lists.iter().flat_map(|list| list.0.iter().copied()).collect());
    }
    if !lists.is_empty() && lists.len() != endpoints {
        return Err(BenchError::CountMismatch { option: "--pid", given: lists.len(), endpoints });
    }
    Ok(lists.get(index).map(|list| list.0.clone()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
