use storage::Error;

use crate::rados::RadosError;

impl From<RadosError> for Error {
    /// What is left when the caller has taken out the failures that it expects.
    fn from(error: RadosError) -> Self {
        match error {
            RadosError::Full => Self::Unavailable("a pool of the cluster is full".into()),
            RadosError::TimedOut => Self::Unavailable("the cluster did not answer in time".into()),
            RadosError::Other(_) => Self::Unavailable(error.to_string()),
            RadosError::NotFound => Self::Damaged("an object of the store is missing".into()),
            RadosError::Exists | RadosError::Mismatch => {
                Self::Damaged("an object of the store is not as it must be".into())
            }
            RadosError::Unsupported => Self::Damaged("a pool cannot do what the store needs".into()),
        }
    }
}

/// Whether a write whose checks may fail happened.
pub(crate) fn happened(written: Result<(), RadosError>) -> Result<bool, Error> {
    match written {
        Ok(()) => Ok(true),
        Err(RadosError::Mismatch | RadosError::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What a wait for the cluster ends in when its deadline has passed.
pub(crate) fn too_late(what: &str) -> Error {
    Error::Unavailable(format!("{what} until the deadline"))
}
