/// What is known about a question: Kleene's three values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It holds.
    Yes,
    /// It does not hold.
    No,
    /// It cannot be told for this request. A Deny statement treats it as yes, an Allow statement as no.
    Unknown,
}

impl Verdict {
    pub(crate) const fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    pub(crate) const fn negate(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }

    /// Whether all hold; yes for none.
    pub(crate) fn all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::Yes;
        for verdict in verdicts {
            match verdict {
                Self::No => return Self::No,
                Self::Unknown => result = Self::Unknown,
                Self::Yes => {}
            }
        }
        result
    }

    /// Whether at least one holds; no for none.
    pub(crate) fn any(verdicts: impl IntoIterator<Item = Self>) -> Self {
        Self::all(verdicts.into_iter().map(Self::negate)).negate()
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, No, Unknown, Yes};

    #[test]
    fn one_no_outweighs_what_is_unknown_and_one_yes_settles_any() {
        assert_eq!(Verdict::all([Yes, Unknown, No]), No);
        assert_eq!(Verdict::all([Yes, Unknown]), Unknown);
        assert_eq!(Verdict::all([]), Yes);
        assert_eq!(Verdict::any([No, Unknown, Yes]), Yes);
        assert_eq!(Verdict::any([No, Unknown]), Unknown);
        assert_eq!(Verdict::any([]), No);
    }
}
