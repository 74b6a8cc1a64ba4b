use model::Principal;
use sha2::{Digest as _, Sha256};

/// The id that `Owner` and `Initiator` elements show: 64 hexadecimal digits, the SHA-256 of the principal's ARN.
///
/// It is stable and the same on every installation; it is no secret. The anonymous one has an id too.
#[must_use]
pub fn canonical_user_id(principal: &Principal) -> String {
    let arn = principal.arn();
    hex::encode(Sha256::digest(arn.as_deref().unwrap_or("anonymous")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_64_hexadecimal_digits_and_differ() {
        let arns = ["arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:user/alice"];
        let mut ids: Vec<_> = arns.iter().map(|arn| canonical_user_id(&Principal::from_arn(arn).unwrap())).collect();
        ids.push(canonical_user_id(&Principal::Anonymous));
        assert!(ids.iter().all(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }
}
