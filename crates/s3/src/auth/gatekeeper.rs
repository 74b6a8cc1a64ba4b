use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use model::Principal;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{Credentials, S3Auth, SecretKey};
use s3s::{S3Error, S3Result};

use super::{Claim, unknown_access_key};
use crate::exchange::Exchange;
use crate::features;
use crate::refusal::Refusal;

/// Stands behind `s3s` for one request: gives it the one secret that the request may be signed with, and settles the
/// principal once `s3s` has found the signature right.
///
/// The claim alone settles nothing. Would `s3s` read another credential, or none, where the gateway read one, the
/// request is refused.
#[derive(Clone)]
pub(crate) struct Gatekeeper {
    claim: Arc<Claim>,
    exchange: Arc<Exchange>,
}

impl Gatekeeper {
    pub(crate) fn new(claim: Claim, exchange: Arc<Exchange>) -> Self {
        Self { claim: Arc::new(claim), exchange }
    }

    /// The same claim on an exchange of its own.
    pub(crate) fn on(&self, exchange: Arc<Exchange>) -> Self {
        Self { claim: self.claim.clone(), exchange }
    }

    /// The same request once its signature was found right on another exchange; `None` if it was not.
    pub(crate) fn proven_by(&self, trial: &Exchange) -> Option<Self> {
        let (principal, signed) = (trial.principal()?.clone(), trial.signed()?);
        Some(Self { claim: Arc::new(Claim::Proven { principal, signed }), exchange: self.exchange.clone() })
    }

    /// Settles who the request comes from.
    pub(crate) fn settle(&self, verified: Option<&Credentials>) -> Result<&Principal, S3Error> {
        let (principal, signed) = match (&*self.claim, verified) {
            (Claim::Anonymous, None) => (&Principal::Anonymous, None),
            (Claim::Proven { principal, signed }, None) => (principal, Some(*signed)),
            (Claim::AccessKey { id, principal, signed, .. }, Some(by)) if by.access_key == id.as_str() => {
                (principal, Some(*signed))
            }
            _ => return Err(self.exchange.refuse(Refusal::access_denied("Access Denied"))),
        };
        self.exchange.settle(principal.clone(), signed);
        Ok(principal)
    }

    /// Lets a request through to the operation of this name: settles who sent it, then looks for what nobody here does.
    /// In this order, since a header that the signature should cover and does not is a forgery, whatever it asks for.
    pub(crate) fn admit(
        &self,
        operation: &str,
        verified: Option<&Credentials>,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<(), S3Error> {
        self.exchange.set_operation(operation);
        let principal = self.settle(verified)?;
        // No policy can allow it, so nothing of the body need be read.
        if operation == "CreateBucket" && *principal == Principal::Anonymous {
            return Err(self.exchange.refuse(Refusal::access_denied("Access Denied")));
        }
        features::check(method, headers).map_err(|refusal| self.exchange.refuse(refusal))
    }
}

#[async_trait]
impl S3Auth for Gatekeeper {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match &*self.claim {
            Claim::AccessKey { id, secret, .. } if id.as_str() == access_key => Ok(SecretKey::from(secret.expose())),
            _ => Err(self.exchange.refuse(unknown_access_key())),
        }
    }
}

#[async_trait]
impl S3Access for Gatekeeper {
    /// Called for every operation, after the signature has been checked and before a document is read. What the
    /// principal may do is decided in `operations`.
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        self.admit(cx.s3_op().name(), cx.credentials(), cx.method(), cx.headers())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;
    use crate::exchange::{Signed, SignedIn};

    fn gatekeeper(claim: Claim) -> Gatekeeper {
        let connection = Connection { secure: true, tls: None, peer: ([127, 0, 0, 1], 1).into() };
        Gatekeeper::new(claim, Exchange::new(connection))
    }

    const SIGNED: Signed = Signed { scheme: identity::SignatureScheme::V4, place: SignedIn::Query, at: None };

    fn pair() -> Claim {
        Claim::AccessKey {
            id: identity::AccessKeyId::parse("AKIDALICE").unwrap(),
            secret: Arc::new(identity::SecretAccessKey::parse("a secret-of-alice".replace(' ', "-").as_str()).unwrap()),
            principal: Principal::from_arn("arn:aws:iam::111122223333:user/alice").unwrap(),
            signed: SIGNED,
        }
    }

    fn verified(id: &str) -> Credentials {
        Credentials { access_key: id.to_owned(), secret_key: SecretKey::from("s") }
    }

    #[test]
    fn a_claim_without_its_proof_settles_nobody() {
        for (claim, verified) in [
            (pair(), None),
            (pair(), Some(verified("AKIDMALLORY"))),
            (Claim::Anonymous, Some(verified("AKIDALICE"))),
            (Claim::Proven { principal: Principal::Anonymous, signed: SIGNED }, Some(verified("AKIDALICE"))),
        ] {
            let gatekeeper = gatekeeper(claim);
            assert!(gatekeeper.settle(verified.as_ref()).is_err());
            assert!(gatekeeper.exchange.principal().is_none() && gatekeeper.exchange.signed().is_none());
        }
    }

    #[test]
    fn a_verified_claim_settles_its_principal() {
        let gatekeeper = gatekeeper(pair());
        assert!(gatekeeper.settle(Some(&verified("AKIDALICE"))).is_ok());
        assert_eq!(
            gatekeeper.exchange.principal(),
            Principal::from_arn("arn:aws:iam::111122223333:user/alice").as_ref()
        );
        assert_eq!(gatekeeper.exchange.signed(), Some(SIGNED));
    }

    #[tokio::test]
    async fn only_the_secret_of_the_claim_is_given_out() {
        let keeper = gatekeeper(pair());
        assert_eq!(keeper.get_secret_key("AKIDALICE").await.unwrap().expose(), "a-secret-of-alice");
        assert!(keeper.get_secret_key("AKIDMALLORY").await.is_err());
        assert!(gatekeeper(Claim::Anonymous).get_secret_key("AKIDALICE").await.is_err());
    }
}
