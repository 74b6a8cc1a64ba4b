//! The documents that name an encryption: that of a bucket (AWS: `PutBucketEncryption`), and that of an object (AWS:
//! `UpdateObjectEncryption`, with an element of ours for SSE-S3, which AWS cannot ask for).

use model::KmsKeyId;
use operations::{BlockedEncryption, BucketEncryption, DefaultEncryption};
use s3s::xml::{DeError, DeResult, Deserialize, DeserializeContent, Deserializer};

use crate::refusal::Refusal;
use crate::render::element;
use crate::sse::parse_key_id;

/// Reads the configuration of a bucket.
pub(super) fn read_bucket(document: &[u8]) -> Result<BucketEncryption, Refusal> {
    let Configuration(rules) = read(document)?;
    let [Rule { default, bucket_key, blocked }] = <[Rule; 1]>::try_from(rules).map_err(|_| malformed())?;
    let default = match default {
        None => DefaultEncryption::Server,
        Some(Default { algorithm, key_id }) => match (algorithm.as_str(), key_id) {
            ("AES256", None) => DefaultEncryption::Server,
            ("AES256", Some(_)) => {
                let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or \
                               aws:kms:dsse";
                return Err(
                    Refusal::invalid_argument(message).detail("ArgumentName", "ApplyServerSideEncryptionByDefault")
                );
            }
            ("aws:kms", key_id) => DefaultEncryption::Kms(key_id.as_deref().map(parse_key_id).transpose()?),
            ("aws:kms:dsse", _) => {
                return Err(Refusal::not_implemented("Dual-layer server-side encryption (aws:kms:dsse)"));
            }
            _ => return Err(malformed()),
        },
    };
    Ok(BucketEncryption { default, bucket_key, blocked })
}

/// Writes it.
pub(super) fn write_bucket(encryption: &BucketEncryption) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str("<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>");
    text.push_str("<ApplyServerSideEncryptionByDefault>");
    match &encryption.default {
        DefaultEncryption::Server => element(&mut text, "SSEAlgorithm", "AES256"),
        DefaultEncryption::Kms(kms_key) => {
            element(&mut text, "SSEAlgorithm", "aws:kms");
            if let Some(kms_key) = kms_key {
                element(&mut text, "KMSMasterKeyID", kms_key.as_str());
            }
        }
    }
    text.push_str("</ApplyServerSideEncryptionByDefault>");
    element(&mut text, "BucketKeyEnabled", if encryption.bucket_key { "true" } else { "false" });
    let blocked = match encryption.blocked {
        BlockedEncryption::Unsaid => None,
        BlockedEncryption::Nothing => Some("NONE"),
        BlockedEncryption::CustomerKeys => Some("SSE-C"),
    };
    if let Some(blocked) = blocked {
        text.push_str("<BlockedEncryptionTypes>");
        element(&mut text, "EncryptionType", blocked);
        text.push_str("</BlockedEncryptionTypes>");
    }
    text.push_str("</Rule></ServerSideEncryptionConfiguration>");
    text
}

/// What an object is to be encrypted with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ObjectEncryption {
    Server,
    Kms { kms_key: Option<KmsKeyId>, bucket_key: bool },
}

/// Reads the encryption of an object.
pub(super) fn read_object(document: &[u8]) -> Result<ObjectEncryption, Refusal> {
    match read(document)? {
        ObjectDocument::Server => Ok(ObjectEncryption::Server),
        ObjectDocument::Kms { key_id, bucket_key } => {
            let kms_key = key_id.as_deref().map(parse_key_id).transpose()?;
            Ok(ObjectEncryption::Kms { kms_key, bucket_key })
        }
    }
}

fn read<'xml, T: Deserialize<'xml>>(document: &'xml [u8]) -> Result<T, Refusal> {
    let mut reader = Deserializer::new(document);
    let read = T::deserialize(&mut reader).and_then(|read| reader.expect_eof().map(|()| read));
    read.map_err(|_| malformed())
}

fn malformed() -> Refusal {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    Refusal::new(http::StatusCode::BAD_REQUEST, "MalformedXML", message)
}

struct Configuration(Vec<Rule>);

struct Rule {
    default: Option<Default>,
    bucket_key: bool,
    blocked: BlockedEncryption,
}

struct Default {
    algorithm: String,
    key_id: Option<String>,
}

enum ObjectDocument {
    Server,
    Kms { key_id: Option<String>, bucket_key: bool },
}

impl<'xml> Deserialize<'xml> for Configuration {
    fn deserialize(reader: &mut Deserializer<'xml>) -> DeResult<Self> {
        reader.named_element("ServerSideEncryptionConfiguration", |reader| {
            let mut rules = Vec::new();
            reader.for_each_element(|reader, name| match name {
                // Any other number than one is refused, so more than two need not be held.
                b"Rule" if rules.len() < 2 => {
                    rules.push(reader.content()?);
                    Ok(())
                }
                _ => Err(DeError::UnexpectedTagName),
            })?;
            Ok(Self(rules))
        })
    }
}

impl<'xml> DeserializeContent<'xml> for Rule {
    fn deserialize_content(reader: &mut Deserializer<'xml>) -> DeResult<Self> {
        let (mut default, mut bucket_key, mut blocked) = (None, None, None);
        reader.for_each_element(|reader, name| match name {
            b"ApplyServerSideEncryptionByDefault" => once(&mut default, reader.content()?),
            b"BucketKeyEnabled" => once(&mut bucket_key, reader.content()?),
            b"BlockedEncryptionTypes" => once(&mut blocked, blocked_types(reader)?),
            _ => Err(DeError::UnexpectedTagName),
        })?;
        Ok(Self {
            default,
            bucket_key: bucket_key.unwrap_or_default(),
            blocked: blocked.unwrap_or(BlockedEncryption::Unsaid),
        })
    }
}

/// `NONE`, or the one type that can be blocked.
fn blocked_types(reader: &mut Deserializer<'_>) -> DeResult<BlockedEncryption> {
    let mut blocked = None;
    reader.for_each_element(|reader, name| match name {
        b"EncryptionType" => {
            let named = match reader.content::<String>()?.as_str() {
                "NONE" => BlockedEncryption::Nothing,
                "SSE-C" => BlockedEncryption::CustomerKeys,
                _ => return Err(DeError::InvalidContent),
            };
            once(&mut blocked, named)
        }
        _ => Err(DeError::UnexpectedTagName),
    })?;
    Ok(blocked.unwrap_or(BlockedEncryption::Unsaid))
}

impl<'xml> DeserializeContent<'xml> for Default {
    fn deserialize_content(reader: &mut Deserializer<'xml>) -> DeResult<Self> {
        let (mut algorithm, mut key_id) = (None, None);
        reader.for_each_element(|reader, name| match name {
            b"SSEAlgorithm" => once(&mut algorithm, reader.content()?),
            b"KMSMasterKeyID" => once(&mut key_id, reader.content()?),
            _ => Err(DeError::UnexpectedTagName),
        })?;
        Ok(Self { algorithm: algorithm.ok_or(DeError::MissingField)?, key_id })
    }
}

impl<'xml> Deserialize<'xml> for ObjectDocument {
    fn deserialize(reader: &mut Deserializer<'xml>) -> DeResult<Self> {
        reader.named_element("ObjectEncryption", |reader| {
            let mut found = None;
            reader.for_each_element(|reader, name| match name {
                b"SSE-KMS" => once(&mut found, kms(reader)?),
                b"SSE-S3" => {
                    reader.for_each_element(|_, _| Err(DeError::UnexpectedTagName))?;
                    once(&mut found, Self::Server)
                }
                _ => Err(DeError::UnexpectedTagName),
            })?;
            found.ok_or(DeError::MissingField)
        })
    }
}

fn kms(reader: &mut Deserializer<'_>) -> DeResult<ObjectDocument> {
    let (mut key_id, mut bucket_key) = (None, None);
    reader.for_each_element(|reader, name| match name {
        b"KMSKeyArn" => once(&mut key_id, reader.content()?),
        b"BucketKeyEnabled" => once(&mut bucket_key, reader.content()?),
        _ => Err(DeError::UnexpectedTagName),
    })?;
    Ok(ObjectDocument::Kms { key_id, bucket_key: bucket_key.unwrap_or_default() })
}

fn once<T>(place: &mut Option<T>, value: T) -> DeResult {
    if place.replace(value).is_some() { Err(DeError::DuplicateField) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rules: &str) -> Result<BucketEncryption, String> {
        let document = format!(
            "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}\
             </ServerSideEncryptionConfiguration>"
        );
        read_bucket(document.as_bytes()).map_err(|refusal| refusal.code.into_owned())
    }

    fn rule(algorithm: &str, key_id: Option<&str>, more: &str) -> String {
        let key_id = key_id.map(|id| format!("<KMSMasterKeyID>{id}</KMSMasterKeyID>")).unwrap_or_default();
        let default = format!("<SSEAlgorithm>{algorithm}</SSEAlgorithm>{key_id}");
        format!("<Rule><ApplyServerSideEncryptionByDefault>{default}</ApplyServerSideEncryptionByDefault>{more}</Rule>")
    }

    #[test]
    fn each_configuration_is_read_and_written_alike() {
        let kms = |id: Option<&str>| DefaultEncryption::Kms(id.map(|id| KmsKeyId::parse(id).unwrap()));
        let blocked = |types: &str| format!("<BlockedEncryptionTypes>{types}</BlockedEncryptionTypes>");
        let block = blocked("<EncryptionType>SSE-C</EncryptionType>");
        let none = blocked("<EncryptionType>NONE</EncryptionType>");
        let with_key = format!("<BucketKeyEnabled>true</BucketKeyEnabled>{none}");
        for (rules, default, bucket_key, blocked) in [
            (rule("AES256", None, ""), DefaultEncryption::Server, false, BlockedEncryption::Unsaid),
            (rule("AES256", None, &block), DefaultEncryption::Server, false, BlockedEncryption::CustomerKeys),
            (rule("aws:kms", None, &with_key), kms(None), true, BlockedEncryption::Nothing),
            (rule("aws:kms", Some("k1"), &blocked("")), kms(Some("k1")), false, BlockedEncryption::Unsaid),
            (format!("<Rule>{block}</Rule>"), DefaultEncryption::Server, false, BlockedEncryption::CustomerKeys),
        ] {
            let expected = BucketEncryption { default, bucket_key, blocked };
            assert_eq!(answer(&rules), Ok(expected.clone()), "{rules}");
            assert_eq!(read_bucket(write_bucket(&expected).as_bytes()).ok(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let one = rule("AES256", None, "");
        for (rules, code) in [
            (String::new(), "MalformedXML"),
            (one.repeat(2), "MalformedXML"),
            (one.repeat(3), "MalformedXML"),
            (rule("aes256", None, ""), "MalformedXML"),
            (rule("", None, ""), "MalformedXML"),
            (rule("AES256", None, "<Unknown/>"), "MalformedXML"),
            (rule("AES256", None, "<BucketKeyEnabled>maybe</BucketKeyEnabled>"), "MalformedXML"),
            (
                rule(
                    "AES256",
                    None,
                    "<BlockedEncryptionTypes><EncryptionType>SSE-S3</EncryptionType></BlockedEncryptionTypes>",
                ),
                "MalformedXML",
            ),
            (
                one.replace(
                    "</Rule>",
                    "<BucketKeyEnabled>true</BucketKeyEnabled><BucketKeyEnabled>true</BucketKeyEnabled></Rule>",
                ),
                "MalformedXML",
            ),
            (rule("AES256", Some("k1"), ""), "InvalidArgument"),
            (rule("aws:kms", Some("a key"), ""), "InvalidArgument"),
            (rule("aws:kms:dsse", None, ""), "NotImplemented"),
        ] {
            assert_eq!(answer(&rules), Err(code.to_owned()), "{rules}");
        }
        for document in ["", "<", "text", "<Other/>", "<ServerSideEncryptionConfiguration>"] {
            assert_eq!(read_bucket(document.as_bytes()).unwrap_err().code, "MalformedXML", "{document}");
        }
        let two_roots = format!("{0}{0}", write_bucket(&BucketEncryption::default()).split_once('\n').unwrap().1);
        assert!(read_bucket(two_roots.as_bytes()).is_err());
    }

    #[test]
    fn the_encryption_of_an_object_is_one_of_two() {
        let read = |inner: &str| {
            let document = format!("<ObjectEncryption>{inner}</ObjectEncryption>");
            read_object(document.as_bytes()).map_err(|refusal| refusal.code.into_owned())
        };
        let kms = |id: Option<&str>, bucket_key| {
            Ok(ObjectEncryption::Kms { kms_key: id.map(|id| KmsKeyId::parse(id).unwrap()), bucket_key })
        };
        assert_eq!(read("<SSE-S3/>"), Ok(ObjectEncryption::Server));
        assert_eq!(read("<SSE-KMS/>"), kms(None, false));
        let arn = "<KMSKeyArn>arn:aws:kms:us-east-1:1:key/k1</KMSKeyArn><BucketKeyEnabled>true</BucketKeyEnabled>";
        assert_eq!(read(&format!("<SSE-KMS>{arn}</SSE-KMS>")), kms(Some("k1"), true));
        for inner in ["", "<SSE-C/>", "<SSE-S3/><SSE-KMS/>", "<SSE-S3><A/></SSE-S3>", "<SSE-KMS><A/></SSE-KMS>"] {
            assert_eq!(read(inner), Err("MalformedXML".to_owned()), "{inner}");
        }
        assert_eq!(read("<SSE-KMS><KMSKeyArn>a key</KMSKeyArn></SSE-KMS>"), Err("InvalidArgument".to_owned()));
    }
}
