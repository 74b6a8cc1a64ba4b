//! `canopic verify-at-rest`: looks at everything that is stored.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use server::config::Setting;
use server::{ByteRate, Finding, HeldBy, ObjectVerdict, OfflineVerifier, Proof, VerifySink, VerifySummary};

use crate::output;
use crate::setting_args::{Place, Selection, SettingArgs};

#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    /// Only this bucket; what no record names is then not looked at
    #[arg(long)]
    bucket: Option<String>,
    /// Only objects whose key begins so
    #[arg(long, default_value = "")]
    prefix: String,
    /// Read at most so many MiB of bodies in a second
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// Write what is found to this file too, a JSON object on each line; never over a file that is there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Read no bodies: look at records, and at the lengths of what they name
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    settings: SettingArgs<Judging>,
}

/// Where an installation is, its audit log and its KMS: what is needed to use its keys.
struct Judging;

impl Selection for Judging {
    fn takes(setting: &Setting) -> bool {
        let is_of = |what: &str| setting.name == what || setting.name.starts_with(&format!("{what}_"));
        Place::takes(setting) || is_of("audit") || is_of("kms")
    }
}

/// The exit code says what was found: 0 nothing, 1 something, 2 that it could not be looked at.
pub(crate) fn run(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let verified = crate::runtime().and_then(|runtime| runtime.block_on(verify(args)));
    Ok(match verified {
        Ok(summary) if summary.findings == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            output::complain(&error);
            ExitCode::from(2)
        }
    })
}

async fn verify(args: VerifyArgs) -> anyhow::Result<VerifySummary> {
    let config = args.settings.load()?;
    let selection = OfflineVerifier::selection(args.bucket.as_deref(), args.prefix, args.quick)?;
    let report = args.json.as_deref().map(Report::create).transpose()?;
    let verifier = OfflineVerifier::open(&config).await?;
    if selection.bucket.is_none() && !verifier.sees_unnamed_bytes() {
        output::note(
            "a store on a cluster does not list bytes that no record names: what records name is looked at. Gateways that \
             run meanwhile change what is looked at; look again at what is reported then",
        );
    }
    let extent = verifier.measure(&selection).await?;
    let bar = bar(if args.quick { extent.objects } else { extent.bytes }, args.quick);
    let mut told = Told { bar, is_quick: args.quick, report, failed: None };
    let summary = verifier.verify(&selection, &ByteRate::mib_per_second(args.rate), &mut told).await;
    verifier.close().await;
    told.bar.finish_and_clear();
    let summary = summary?;
    if let Some(error) = told.failed {
        return Err(error).context("what was found could not be written down");
    }
    show(&summary)?;
    if let Some(report) = told.report {
        report.finish(&summary)?;
    }
    Ok(summary)
}

fn bar(length: u64, is_quick: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template(template(is_quick)).expect("the template is a constant that a test parses");
    bar.set_style(style.progress_chars("=> "));
    bar
}

const fn template(is_quick: bool) -> &'static str {
    if is_quick {
        "[{bar:30}] {pos} of {len} objects, {eta} left"
    } else {
        "[{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left"
    }
}

/// Passes on what is found, to people and to the report.
struct Told {
    bar: ProgressBar,
    is_quick: bool,
    report: Option<Report>,
    /// The first failure to write.
    failed: Option<io::Error>,
}

impl Told {
    fn write(&mut self, value: &Value) {
        if let (Some(report), None) = (&mut self.report, &self.failed) {
            self.failed = report.line(value).err();
        }
    }
}

impl VerifySink for Told {
    fn object(&mut self, verdict: &ObjectVerdict) {
        if self.report.is_some() {
            self.write(&json!({
                "type": if verdict.upload.is_some() { "upload" } else { "object" },
                "bucket": verdict.bucket,
                "object_key": verdict.object_key,
                "upload": verdict.upload,
                "mode": verdict.held_by.as_ref().map(mode),
                "key_id": verdict.held_by.as_ref().and_then(key_id),
                "record_authenticates": verdict.is_record_authentic,
                "sealed_bytes": verdict.bytes,
                "chunks": verdict.chunks,
                "chunks_are": proof(verdict.proof),
                "findings": verdict.findings,
            }));
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let word = if finding.problem.is_note() { "note" } else { "finding" };
        let place = [finding.bucket.as_deref(), finding.object_key.as_deref()].into_iter().flatten();
        let place: Vec<_> = place.map(|name| name.escape_debug().to_string()).collect();
        let place = if place.is_empty() { String::new() } else { format!("{}: ", place.join("/")) };
        let line = format!("{word}: {place}{}: {}", finding.what.escape_debug(), finding.problem);
        let shown = self.bar.suspend(|| output::line(&line));
        self.failed = self.failed.take().or(shown.err());
        self.write(&json!({
            "type": word,
            "bucket": finding.bucket,
            "object_key": finding.object_key,
            "what": finding.what,
            "problem": finding.problem.code(),
            "message": finding.problem.to_string(),
        }));
    }

    fn progress(&mut self, objects: u64, bytes: u64) {
        self.bar.inc(if self.is_quick { objects } else { bytes });
    }
}

/// The file for programs: a line for each thing, so that it can be written as it comes and read as far as it goes.
struct Report(BufWriter<File>);

impl Report {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        Ok(Self(BufWriter::new(file.with_context(|| path.display().to_string())?)))
    }

    fn line(&mut self, value: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, value)?;
        self.0.write_all(b"\n")
    }

    fn finish(mut self, summary: &VerifySummary) -> anyhow::Result<()> {
        let keys: Vec<_> = summary
            .held_by
            .iter()
            .map(|(held_by, count)| json!({"mode": mode(held_by), "key_id": key_id(held_by), "count": count}))
            .collect();
        let proofs: serde_json::Map<_, _> =
            summary.proofs.iter().map(|(known, count)| (proof(*known).to_owned(), json!(count))).collect();
        self.line(&json!({
            "type": "summary",
            "buckets": summary.buckets,
            "objects": summary.objects,
            "uploads": summary.uploads,
            "sealed_bytes": summary.bytes,
            "keys": keys,
            "chunks_are": proofs,
            "findings": summary.findings,
            "notes": summary.notes,
        }))?;
        Ok(self.0.into_inner()?.sync_all()?)
    }
}

fn show(summary: &VerifySummary) -> io::Result<()> {
    let VerifySummary { buckets, objects, uploads, bytes, findings, notes, .. } = summary;
    output::line(&format!(
        "looked at {objects} objects and {uploads} uploads in {buckets} buckets, {bytes} sealed bytes"
    ))?;
    let mut keys: Vec<_> =
        summary.held_by.iter().map(|(held_by, count)| (mode(held_by), key_id(held_by), count)).collect();
    keys.sort();
    for (mode, key_id, count) in keys {
        let key_id = key_id.map(|id| format!(" under {id}")).unwrap_or_default();
        output::line(&format!("  {mode}{key_id}: {count}"))?;
    }
    for known in [Proof::Authenticated, Proof::LooksSealed, Proof::LengthsOnly] {
        if let Some(count) = summary.proofs.get(&known) {
            output::line(&format!("  chunks {}: {count}", proof(known)))?;
        }
    }
    output::line(&format!("{findings} findings, {notes} notes"))
}

const fn mode(held_by: &HeldBy) -> &'static str {
    match held_by {
        HeldBy::Customer => "SSE-C",
        HeldBy::Keyring(_) => "SSE-S3",
        HeldBy::Kms(_) => "SSE-KMS",
    }
}

fn key_id(held_by: &HeldBy) -> Option<String> {
    match held_by {
        HeldBy::Customer => None,
        HeldBy::Keyring(id) => Some(id.to_string()),
        HeldBy::Kms(id) => Some(id.to_string()),
    }
}

const fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Authenticated => "authenticated",
        Proof::LooksSealed => "sealed by their looks",
        Proof::LengthsOnly => "of the right length",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for is_quick in [false, true] {
            bar(1, is_quick).finish_and_clear();
        }
    }
}
