//! The two streams.

use std::io::{self, IsTerminal as _, Write as _};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Writes a line of the result.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes rows in columns, with a head only for people: programs want rows.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let shown: Vec<&Vec<String>> = io::stdout().is_terminal().then_some(&head).into_iter().chain(rows).collect();
    let columns = head.len();
    let width = |column: usize| shown.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in shown {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// A time, in milliseconds since 1970, as RFC 3339 writes it.
pub(crate) fn date(ms: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(i64::try_from(ms / 1000).unwrap_or(i64::MAX));
    time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "?".to_owned())
}

/// Says something beside the result.
pub(crate) fn note(text: &str) {
    // Where standard error is closed, nobody hears it.
    let _ = writeln!(io::stderr().lock(), "canopic: {text}");
}

/// Says what went wrong, each thing once: many errors repeat their cause.
pub(crate) fn complain(error: &anyhow::Error) {
    // Where standard error is closed, nobody hears it.
    let _ = writeln!(io::stderr().lock(), "canopic: {}", explain(error));
}

fn explain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        said if said.contains(&cause) => said.to_owned(),
        said => format!("{said}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_by_rfc_3339() {
        assert_eq!(date(1_800_000_000_123), "2027-01-15T08:00:00Z");
        assert_eq!(date(u64::MAX), "?");
    }

    #[test]
    fn a_cause_is_told_once() {
        let told = anyhow::anyhow!("no such file").context("x.toml: no such file").context("--config");
        assert_eq!(explain(&told), "--config: x.toml: no such file");
    }
}
