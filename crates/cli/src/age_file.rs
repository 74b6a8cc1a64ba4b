//! Files sealed under a passphrase in the age format, which the `age` command opens too.

use std::io::{Read as _, Write as _};

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

/// Scrypt with N = 2^18 takes about a second and 256 MiB. It does not depend on the machine, so that a backup made on a
/// slow one is no weaker.
const WORK_FACTOR: u8 = 18;
/// 4 GiB: what another program may have chosen.
const WORK_FACTOR_MAX: u8 = 22;

/// Seals `plaintext` under a passphrase.
pub(crate) fn seal(passphrase: SecretString, plaintext: &[u8]) -> anyhow::Result<Vec<u8>> {
    seal_with(passphrase, plaintext, WORK_FACTOR)
}

fn seal_with(passphrase: SecretString, plaintext: &[u8], work_factor: u8) -> anyhow::Result<Vec<u8>> {
    let mut recipient = scrypt::Recipient::new(passphrase);
    recipient.set_work_factor(work_factor);
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let mut sealed = Vec::new();
    let mut writer = Encryptor::with_recipients(recipients)?.wrap_output(&mut sealed)?;
    writer.write_all(plaintext)?;
    writer.finish()?;
    Ok(sealed)
}

/// Opens a file that was sealed under a passphrase; its plaintext is at most as long as the file.
pub(crate) fn open(passphrase: SecretString, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut identity = scrypt::Identity::new(passphrase);
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let decryptor = Decryptor::new(sealed).context("this is no age file")?;
    if !decryptor.is_scrypt() {
        bail!("the file was not sealed under a passphrase");
    }
    let mut reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(explained)?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut plaintext).context("the file is damaged")?;
    Ok(plaintext)
}

fn explained(error: DecryptError) -> anyhow::Error {
    match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            anyhow::anyhow!("the passphrase is wrong, or the file is damaged")
        }
        DecryptError::ExcessiveWork { required, .. } => {
            anyhow::anyhow!("the file asks for scrypt with N = 2^{required}, which is more than any sensible file does")
        }
        other => anyhow::Error::new(other).context("the file is damaged"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: u8 = 4;

    fn passphrase(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn what_was_sealed_opens_with_its_passphrase_only() {
        let plaintext: Vec<u8> = (0..200_000_u32).map(|i| i as u8).collect();
        let sealed = seal_with(passphrase("one"), &plaintext, FAST).unwrap();
        assert!(sealed.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        assert!(*open(passphrase("one"), &sealed).unwrap() == plaintext);
        let error = open(passphrase("other"), &sealed).unwrap_err().to_string();
        assert!(error.contains("the passphrase is wrong"), "{error}");
    }

    #[test]
    fn a_cut_or_changed_file_does_not_open() {
        let sealed = seal_with(passphrase("one"), b"every key", FAST).unwrap();
        for at in 0..sealed.len() {
            assert!(open(passphrase("one"), &sealed[..at]).is_err(), "{at} bytes");
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            // A changed work factor may ask for up to 4 GiB of memory; the other digits are changed too.
            if !sealed[..at].ends_with(b" ") {
                assert!(open(passphrase("one"), &changed).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn a_file_that_asks_for_endless_work_is_refused() {
        let sealed = seal_with(passphrase("one"), b"every key", FAST).unwrap();
        let text = String::from_utf8_lossy(&sealed[..100]).into_owned();
        let line = text.lines().nth(1).unwrap();
        let greedy = line.strip_suffix("4").unwrap().to_owned() + "40";
        let at = text.find(line).unwrap();
        let changed = [&sealed[..at], greedy.as_bytes(), &sealed[at + line.len()..]].concat();
        let error = open(passphrase("one"), &changed).unwrap_err().to_string();
        assert!(error.contains("2^40"), "{error}");
    }
}
