//! Who owns a blob after which batch.
