//! Where a server is: its URL, its address, what its certificate must be, who signs.
//!
//! The name is resolved once and the address kept, so that the loopback check holds for every later connection.

use crate::args::{BenchArgs, ProcessList};
use crate::error::BenchError;
use client::tls::{self, TlsTarget, TrustError};
use client::{Credentials, CredentialsError, KeyPair, Location};
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
                access_key_id: pair.access_key_id.clone(),
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
        let tls = if location.secure { Some(tls_target(&location, url, args)?) } else { None };
        Ok(Self { url: url.to_owned(), authority: location.authority, address, tls, credentials, processes })
    }
}

fn tls_target(location: &Location, url: &str, args: &BenchArgs) -> Result<TlsTarget, BenchError> {
    let config = if args.insecure_skip_verify {
        tls::unverified()
    } else if args.certificate_authorities.is_empty() {
        return Err(BenchError::NoCertificateAuthority);
    } else {
        tls::trusting(&args.certificate_authorities)
    };
    let config = config.map_err(|error| match error {
        TrustError::File { path, reason } => BenchError::CertificateAuthority { path, reason },
        TrustError::NoSystemBundle => BenchError::NoCertificateAuthority,
        TrustError::Tls(error) => BenchError::Tls(error),
    })?;
    location.tls_target(Arc::new(config)).ok_or_else(|| BenchError::InvalidEndpoint(url.to_owned()))
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The value for an endpoint, of values that came once or once for each.
fn one_of<'a, T>(option: &'static str, values: &'a [T], index: usize, endpoints: usize) -> Result<&'a T, BenchError> {
    match values {
        [] => Err(BenchError::Credentials(CredentialsError::Missing)),
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
