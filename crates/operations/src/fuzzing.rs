//! What the fuzz target of this crate does with bytes that nobody wrote (fuzz/README.md). A test at the end feeds it with
//! the corpus that fuzzing has found.

use crate::records::{
    AccessKeyRecord, BucketRecord, InstallationRecord, ObjectMetadata, ObjectRecord, PartChecksum, PartRecord,
    PartsRecord, RewrapRecord, TokenRecord, UploadRecord, UserRecord,
};
use crate::{ChecksumAlgorithm, StoredChecksum};

/// Payloads of records, and what is sealed as metadata: the first byte says of which kind. Whether they are one.
///
/// # Panics
/// When two payloads mean the same record: what is read back must be what was written.
#[must_use]
pub fn record(data: &[u8]) -> bool {
    let Some((kind, payload)) = data.split_first() else { return false };
    let encoded = match kind % KINDS {
        0 => BucketRecord::decode(payload).ok().map(|record| record.encode()),
        1 => UserRecord::decode(payload).ok().map(|record| record.encode()),
        2 => AccessKeyRecord::decode(payload).ok().map(|record| record.encode()),
        3 => TokenRecord::decode(payload).ok().map(|record| record.encode()),
        4 => InstallationRecord::decode(payload).ok().map(|record| record.encode()),
        5 => ObjectRecord::decode(payload).ok().map(|record| record.encode()),
        6 => PartsRecord::decode(payload).ok().map(|record| record.encode()),
        7 => UploadRecord::decode(payload).ok().map(|record| record.encode()),
        8 => PartRecord::decode(payload).ok().map(|record| record.encode()),
        9 => ObjectMetadata::decode(payload).ok().map(|metadata| metadata.encode()),
        10 => RewrapRecord::decode(payload).ok().map(|record| record.encode()),
        _ => PartChecksum::decode(payload).ok().map(encode_checksum),
    };
    if let Some(encoded) = &encoded {
        assert_eq!(encoded, payload, "two encodings of one record of kind {}", kind % KINDS);
    }
    encoded.is_some()
}

fn encode_checksum(checksum: PartChecksum) -> Vec<u8> {
    let algorithm: ChecksumAlgorithm = checksum.algorithm;
    PartChecksum::encode(&StoredChecksum { algorithm, parts: None, value: checksum.value })
}

/// How many kinds there are.
const KINDS: u8 = 12;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_corpus_of_fuzzing_breaks_no_promise_and_holds_records_of_every_kind() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/record");
        let mut kinds = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // Shown when the input breaks something.
            println!("{}", path.display());
            let input = fs::read(path).unwrap();
            if record(&input) {
                kinds.insert(input[0] % KINDS);
            }
        }
        assert_eq!(kinds, (0..KINDS).collect());
    }
}
