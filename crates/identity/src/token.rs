use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// One string that is a whole credential: used as the access key, with an empty or arbitrary secret key.
///
/// `cnpt` and 40 letters and digits: nothing that an `Authorization` header, a URL or a client's configuration would
/// have to escape.
pub struct Token(Zeroizing<String>);

/// The text is no token. It is not repeated here: it may be one with a typing error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token is cnpt and 40 letters and digits")]
pub struct InvalidToken;

impl Token {
    /// How many random bytes [`Self::generate`] takes.
    pub const RANDOM_LEN: usize = 2 * TAIL_LEN;

    /// Makes a token from random bytes: 238 bits, each character from two bytes, so that none is likelier than another
    /// by more than one in a thousand.
    #[must_use]
    pub fn generate(random: &[u8; Self::RANDOM_LEN]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + TAIL_LEN));
        text.push_str(PREFIX);
        for pair in random.chunks_exact(2) {
            let number = usize::from(pair[0]) << 8 | usize::from(pair[1]);
            text.push(char::from(BASE62[number % BASE62.len()]));
        }
        Self(text)
    }

    /// Whether the text claims to be a token, well formed or not. Cheap; whoever gets yes must not print the text.
    #[must_use]
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Parses a token.
    ///
    /// # Errors
    /// [`InvalidToken`] for another shape.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let tail = text.strip_prefix(PREFIX).ok_or(InvalidToken)?;
        let valid = tail.len() == TAIL_LEN && tail.bytes().all(|b| b.is_ascii_alphanumeric());
        valid.then(|| Self(Zeroizing::new(text.to_owned()))).ok_or(InvalidToken)
    }

    /// What is stored in the token's place: its SHA-256. A token has 238 random bits, so nothing slower is needed.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The token itself, to print once at creation.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The SHA-256 of a token. It is no secret that opens anything, and is kept out of logs all the same.
#[derive(Clone)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Reads back a stored digest.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first half, under which a record of the token is found.
    ///
    /// A lookup takes time that depends on it; that tells nothing of a token, since nobody can choose a digest.
    #[must_use]
    pub fn lookup_id(&self) -> [u8; 16] {
        *self.0.first_chunk().expect("a digest has 32 bytes")
    }

    /// Compares two digests in constant time.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Whether `presented` is the token that was digested; constant time.
    #[must_use]
    pub fn verify(&self, presented: &Token) -> bool {
        self.ct_eq(&presented.digest())
    }
}

const PREFIX: &str = "cnpt";
const TAIL_LEN: usize = 40;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    fn token(seed: u8) -> Token {
        let mut random = [0; Token::RANDOM_LEN];
        random.iter_mut().zip(0..).for_each(|(byte, at)| *byte = seed.wrapping_mul(31).wrapping_add(at));
        Token::generate(&random)
    }

    #[test]
    fn a_generated_token_parses_back_and_verifies() {
        for seed in 0..=255 {
            let generated = token(seed);
            let parsed = Token::parse(generated.expose()).expect("a generated token is well formed");
            assert!(Token::looks_like(generated.expose()) && generated.expose().len() == 44);
            assert!(generated.digest().verify(&parsed));
        }
    }

    #[test]
    fn another_token_does_not_verify() {
        assert!(!token(1).digest().verify(&token(2)));
        let mut bytes = *token(1).digest().as_bytes();
        bytes[31] ^= 1;
        assert!(!TokenDigest::from_bytes(bytes).verify(&token(1)));
    }

    #[test]
    fn every_random_bit_counts() {
        let plain = Token::generate(&[0; Token::RANDOM_LEN]);
        for at in 0..Token::RANDOM_LEN {
            let mut random = [0; Token::RANDOM_LEN];
            random[at] = 1;
            assert_ne!(Token::generate(&random).expose(), plain.expose(), "byte {at}");
        }
    }

    #[test]
    fn the_digest_is_sha_256_of_the_text() {
        let token = Token::parse(&format!("cnpt{}", "a".repeat(40))).expect("well formed");
        let expected = Sha256::digest(format!("cnpt{}", "a".repeat(40)));
        assert_eq!(token.digest().as_bytes()[..], expected[..]);
        assert_eq!(token.digest().lookup_id()[..], expected[..16]);
    }

    #[test]
    fn malformed_tokens_are_refused() {
        let forty = "a".repeat(40);
        for text in
            ["", "cnpt", &forty, &format!("cnpt{forty}a"), &format!("CNPT{forty}"), &format!("cnpt{}-", &forty[1..])]
        {
            assert!(Token::parse(text).is_err(), "{text}");
        }
    }
}
