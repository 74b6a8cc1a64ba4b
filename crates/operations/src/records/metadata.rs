use model::codec::{Decoder, Encoder, Malformed};

use crate::checksum::{ChecksumAlgorithm, StoredChecksum};

const LAYOUT: u8 = 1;

/// What a client says of an object beside its bytes. At rest it is sealed under the object's data key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectMetadata {
    /// Stored content headers by lower-case name: `content-type`, `cache-control`, `content-disposition`,
    /// `content-encoding`, `content-language`, `expires`.
    pub headers: Vec<(String, String)>,
    /// `x-amz-meta-*` without the prefix, names in lower case.
    pub user: Vec<(String, String)>,
    /// Checksums over the plaintext.
    pub checksums: Vec<StoredChecksum>,
    /// The MD5 of the plaintext, when a client declared one for an object whose tag is opaque.
    pub md5: Option<[u8; 16]>,
}

impl ObjectMetadata {
    /// A stored content header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(LAYOUT);
        encode_pairs(&mut encoder, &self.headers);
        encode_pairs(&mut encoder, &self.user);
        encode_checksums(&mut encoder, &self.checksums);
        match &self.md5 {
            None => encoder.u8(0),
            Some(md5) => encoder.u8(1).raw(md5),
        };
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes, LAYOUT)?;
        let metadata = Self {
            headers: decode_pairs(&mut decoder)?,
            user: decode_pairs(&mut decoder)?,
            checksums: decode_checksums(&mut decoder)?,
            md5: match decoder.u8()? {
                0 => None,
                1 => Some(decoder.array()?),
                _ => return Err(Malformed),
            },
        };
        decoder.finish()?;
        Ok(metadata)
    }
}

fn encode_pairs(encoder: &mut Encoder, pairs: &[(String, String)]) {
    encoder.u16(u16::try_from(pairs.len()).expect("headers are bounded far below 65,536"));
    for (name, value) in pairs {
        encoder.text(name).text(value);
    }
}

fn decode_pairs(decoder: &mut Decoder<'_>) -> Result<Vec<(String, String)>, Malformed> {
    let count = decoder.u16()?;
    (0..count).map(|_| Ok((decoder.text()?.to_owned(), decoder.text()?.to_owned()))).collect()
}

pub(super) fn encode_checksums(encoder: &mut Encoder, checksums: &[StoredChecksum]) {
    encoder.u8(u8::try_from(checksums.len()).expect("there are five algorithms"));
    for checksum in checksums {
        encoder.u8(checksum.algorithm.code()).u16(checksum.parts.unwrap_or(0)).bytes(&checksum.value);
    }
}

pub(super) fn decode_checksums(decoder: &mut Decoder<'_>) -> Result<Vec<StoredChecksum>, Malformed> {
    let count = decoder.u8()?;
    (0..count)
        .map(|_| {
            let algorithm = ChecksumAlgorithm::from_code(decoder.u8()?).ok_or(Malformed)?;
            let parts = Some(decoder.u16()?).filter(|parts| *parts > 0);
            Ok(StoredChecksum { algorithm, parts, value: decoder.bytes()?.to_vec() })
        })
        .collect()
}
