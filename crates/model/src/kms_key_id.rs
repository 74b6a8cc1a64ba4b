use std::fmt;

/// The name of a KMS key: what a client sends as `x-amz-server-side-encryption-aws-kms-key-id`, without what only says
/// where it is.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct KmsKeyId(String);

/// The text names no KMS key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a KMS key id has 1 to 256 letters, digits and characters of /_.:@=+-")]
pub struct InvalidKmsKeyId;

impl KmsKeyId {
    /// The longest id, in bytes.
    pub const LEN_MAX: usize = 256;

    /// The key that is used where a client asks for SSE-KMS and names none. It is created on first use.
    #[must_use]
    pub fn default_key() -> Self {
        Self("aws/s3".to_owned())
    }

    /// Takes a key id, an alias (`alias/…`) or the ARN of either (`arn:aws:kms:REGION:ACCOUNT:key/…`,
    /// `arn:aws:kms:REGION:ACCOUNT:alias/…`, MinIO's `arn:aws:kms:…`), and keeps what names the key.
    ///
    /// What is kept is an id too, and names the same key: records are read back through here.
    ///
    /// # Errors
    /// [`InvalidKmsKeyId`] when it is empty, too long or has other characters, or says twice where the key is.
    pub fn parse(text: &str) -> Result<Self, InvalidKmsKeyId> {
        let resource = match text.strip_prefix("arn:aws:kms:") {
            None => text,
            // Region and account may be empty or left out.
            Some(rest) => rest.rsplit(':').next().unwrap_or_default(),
        };
        let id = resource.strip_prefix("key/").or_else(|| resource.strip_prefix("alias/")).unwrap_or(resource);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.:@=+-".contains(&byte);
        let is_located = ["key/", "alias/", "arn:aws:kms:"].iter().any(|prefix| id.starts_with(prefix));
        if id.is_empty() || id.len() > Self::LEN_MAX || !id.bytes().all(allowed) || is_located {
            return Err(InvalidKmsKeyId);
        }
        Ok(Self(id.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KmsKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_an_alias_and_their_arns_name_the_same_key() {
        for text in
            ["k1", "alias/k1", "key/k1", "arn:aws:kms:us-east-1:1:key/k1", "arn:aws:kms:::alias/k1", "arn:aws:kms:k1"]
        {
            assert_eq!(KmsKeyId::parse(text).unwrap().as_str(), "k1", "{text}");
        }
        assert_eq!(KmsKeyId::parse("alias/aws/s3").unwrap(), KmsKeyId::default_key());
    }

    #[test]
    fn what_names_no_key_is_refused() {
        for text in ["", "alias/", "arn:aws:kms:us-east-1:1:key/", "a b", "a\n", "ä", "a?b", &"x".repeat(257)] {
            assert_eq!(KmsKeyId::parse(text), Err(InvalidKmsKeyId), "{text}");
        }
    }

    #[test]
    fn what_is_kept_names_the_same_key_when_it_is_read_again() {
        for text in ["aws/s3", "a/key/b", "arn:aws:kms:::alias/a/alias/b", "key/a", "arn:aws:kms::b", "arn:aws:kms:a/b"]
        {
            let id = KmsKeyId::parse(text).unwrap();
            assert_eq!(KmsKeyId::parse(id.as_str()), Ok(id), "{text}");
        }
        for text in ["key/key/a", "alias/key/a", "arn:aws:kms:::key/alias/a", "key/arn:aws:kms:::a"] {
            assert_eq!(KmsKeyId::parse(text), Err(InvalidKmsKeyId), "{text}");
        }
    }
}
