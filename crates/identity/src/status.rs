use model::Timestamp;

/// Whether a credential counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyStatus {
    /// It does.
    Active,
    /// Its time is over.
    Expired,
    /// It was withdrawn, which outweighs everything else.
    Revoked,
}

impl KeyStatus {
    /// The status at `now` of a credential.
    #[must_use]
    pub fn at(revoked: bool, expires: Option<Timestamp>, now: Timestamp) -> Self {
        match (revoked, is_live(expires, now)) {
            (true, _) => Self::Revoked,
            (false, true) => Self::Active,
            (false, false) => Self::Expired,
        }
    }

    /// `active`, `expired` or `revoked`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// Whether `now` lies before the expiry; without an expiry always.
#[must_use]
pub fn is_live(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|expires| now < expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_lives_until_the_moment_of_its_expiry() {
        let at = Timestamp::from_millis;
        assert!(is_live(None, at(u64::MAX)));
        assert!(is_live(Some(at(10)), at(9)));
        assert!(!is_live(Some(at(10)), at(10)));
        assert_eq!(KeyStatus::at(false, Some(at(10)), at(10)), KeyStatus::Expired);
        assert_eq!(KeyStatus::at(true, Some(at(10)), at(10)), KeyStatus::Revoked);
        assert_eq!(KeyStatus::at(false, None, at(10)), KeyStatus::Active);
    }
}
