//! Passphrases: from a file, or typed at the terminal without being seen.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use age::secrecy::{ExposeSecret as _, SecretString};
use anyhow::{Context as _, bail, ensure};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Bytes of the longest passphrase.
const LEN_MAX: usize = 1024;
/// Characters of the shortest one that seals a backup of every key.
const LEN_MIN: usize = 12;

/// A passphrase that is chosen now: asked for twice, and not too short.
pub(crate) fn choose(file: Option<&Path>) -> anyhow::Result<SecretString> {
    let passphrase = match file {
        Some(file) => from_file(file)?,
        None => {
            let typed = prompt("Passphrase: ")?;
            let again = prompt("Again: ")?;
            ensure!(typed.expose_secret() == again.expose_secret(), "the two passphrases differ");
            typed
        }
    };
    ensure!(
        passphrase.expose_secret().chars().count() >= LEN_MIN,
        "a passphrase needs {LEN_MIN} characters or more: whoever guesses it has every key"
    );
    Ok(passphrase)
}

/// A passphrase that was chosen before.
pub(crate) fn ask(file: Option<&Path>) -> anyhow::Result<SecretString> {
    file.map_or_else(|| prompt("Passphrase: "), from_file)
}

/// The first line of a file.
fn from_file(path: &Path) -> anyhow::Result<SecretString> {
    let opened = File::open(path).with_context(|| path.display().to_string())?;
    line(opened).with_context(|| path.display().to_string())
}

fn prompt(question: &str) -> anyhow::Result<SecretString> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let terminal = terminal.context("there is no terminal to ask for a passphrase: use --passphrase-file")?;
    // Before the question: who answers at once is not shown either.
    let hidden = Hidden::begin(&terminal)?;
    (&terminal).write_all(question.as_bytes())?;
    let typed = line(&terminal);
    drop(hidden);
    (&terminal).write_all(b"\n")?;
    typed
}

/// One line, into memory that is wiped. A buffer that grew would leave a copy behind, so it has all its room at once.
fn line(source: impl std::io::Read) -> anyhow::Result<SecretString> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LEN_MAX + 2));
    BufReader::new(source.take(LEN_MAX as u64 + 2)).read_until(b'\n', &mut bytes)?;
    while bytes.last().is_some_and(|byte| b"\r\n".contains(byte)) {
        bytes.pop();
    }
    if bytes.is_empty() {
        bail!("the passphrase is empty");
    }
    ensure!(bytes.len() <= LEN_MAX, "the passphrase is longer than {LEN_MAX} bytes");
    let text = std::str::from_utf8(&bytes).context("the passphrase is no UTF-8")?;
    Ok(SecretString::from(text))
}

/// While it lives, the terminal does not show what is typed.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn begin(terminal: &'a File) -> anyhow::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // A terminal that has gone away needs nothing any more.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(content: &[u8]) -> anyhow::Result<String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        choose(Some(file.path())).map(|passphrase| passphrase.expose_secret().to_owned())
    }

    #[test]
    fn the_first_line_of_a_file_is_the_passphrase() {
        assert_eq!(chosen(b"correct horse battery\r\nstaple").unwrap(), "correct horse battery");
        assert_eq!(chosen("zw\u{f6}lf Zeichen!".as_bytes()).unwrap(), "zw\u{f6}lf Zeichen!");
    }

    #[test]
    fn a_passphrase_that_is_empty_short_endless_or_no_text_is_refused() {
        for bad in [&b""[..], b"\n", b"\nsecond line that is long", b"too short", &[b'x'; 2000], &[0xff; 20]] {
            assert!(chosen(bad).is_err(), "{bad:?}");
        }
    }
}
