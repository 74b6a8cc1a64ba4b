//! Settings that choose between two behaviours of S3 services ([`s3::Compatibility`]).

use std::fmt;

use s3::Compatibility;
use serde::Deserialize;

use super::settings::Layer;
use super::value::{InvalidValue, Value};

/// A setting with two values, and the texts that stand for them.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $($text:literal => $variant:ident),*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(pub s3::$name);

        impl Value for $name {
            fn parse(text: &str) -> Result<Self, InvalidValue> {
                match text {
                    $($text => Ok(Self(s3::$name::$variant)),)*
                    _ => Err(InvalidValue { expected: $expected }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                Self::parse(&text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self.0 {
                    $(s3::$name::$variant => $text,)*
                })
            }
        }
    };
}

choice! {
    /// Customer headers beside `AES256`.
    SseCWithAes256, "allow or refuse", "allow" => Allow, "refuse" => Refuse
}
choice! {
    /// The status of a read with the wrong customer key.
    WrongKeyStatus, "403 or 400", "403" => Forbidden, "400" => BadRequest
}
choice! {
    /// The answer of `GetBucketEncryption` without a configuration.
    UnconfiguredEncryption, "aes256 or not-found", "aes256" => Aes256, "not-found" => NotFound
}
choice! {
    /// The versions that a bucket policy may name.
    PolicyVersions, "lenient or strict", "lenient" => Lenient, "strict" => Strict
}

/// What the layers come to. What they leave open is as by default.
pub(super) fn of(layer: &Layer) -> Compatibility {
    Compatibility {
        sse_c_with_aes256: layer.sse_c_with_aes256.map(|choice| choice.0).unwrap_or_default(),
        wrong_key_status: layer.sse_c_wrong_key_status.map(|choice| choice.0).unwrap_or_default(),
        unconfigured_encryption: layer.get_bucket_encryption_unconfigured.map(|choice| choice.0).unwrap_or_default(),
        policy_versions: layer.policy_version.map(|choice| choice.0).unwrap_or_default(),
    }
}

/// The names and values of the settings, for people.
pub(super) fn explain(compatibility: &Compatibility) -> [(&'static str, String); 4] {
    [
        ("sse_c_with_aes256", SseCWithAes256(compatibility.sse_c_with_aes256).to_string()),
        ("sse_c_wrong_key_status", WrongKeyStatus(compatibility.wrong_key_status).to_string()),
        (
            "get_bucket_encryption_unconfigured",
            UnconfiguredEncryption(compatibility.unconfigured_encryption).to_string(),
        ),
        ("policy_version", PolicyVersions(compatibility.policy_versions).to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_has_two_texts_and_no_third() {
        for text in ["allow", "refuse"] {
            assert_eq!(SseCWithAes256::parse(text).unwrap().to_string(), text);
        }
        for text in ["403", "400"] {
            assert_eq!(WrongKeyStatus::parse(text).unwrap().to_string(), text);
        }
        for text in ["aes256", "not-found"] {
            assert_eq!(UnconfiguredEncryption::parse(text).unwrap().to_string(), text);
        }
        for text in ["lenient", "strict"] {
            assert_eq!(PolicyVersions::parse(text).unwrap().to_string(), text);
        }
        assert!(SseCWithAes256::parse("yes").is_err() && WrongKeyStatus::parse("404").is_err());
        assert!(UnconfiguredEncryption::parse("").is_err() && PolicyVersions::parse("Strict").is_err());
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(of(&Layer::default()), Compatibility::default());
    }
}
