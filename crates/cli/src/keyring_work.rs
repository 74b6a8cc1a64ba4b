//! Work on keys that the server does in its own time, watched from here.

use std::time::Duration;

use admin_api::{Call, KeyHolder, KeyUses, KeyringVersion, KeyringWork, LookAtKeyringWork};
use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

use crate::door::Door;
use crate::output;

/// How often the server is asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Begins work and shows how it goes on until its end.
pub(crate) async fn watch<C: Call<Answer = KeyringWork>>(door: &Door, call: &C) -> anyhow::Result<KeyringWork> {
    let mut work = door.call(call).await?;
    let bar = ProgressBar::new_spinner();
    let mut is_counting = true;
    while work.is_running {
        if let Some(total) = work.total.filter(|_| is_counting && !work.is_counting) {
            is_counting = false;
            bar.set_style(measured());
            bar.set_length(total);
            // The estimate begins here: counting is faster than wrapping.
            bar.reset_elapsed();
            bar.reset_eta();
        }
        bar.set_position(work.looked_at);
        bar.set_message(match (is_counting, work.failed) {
            (true, _) => format!("counting: {} records", work.looked_at),
            (false, 0) => format!("{} wrapped anew", work.rewrapped),
            (false, failed) => format!("{} wrapped anew, {failed} failed", work.rewrapped),
        });
        bar.tick();
        tokio::time::sleep(LOOK_EVERY).await;
        work = door.call(&LookAtKeyringWork {}).await?;
    }
    bar.finish_and_clear();
    match &work.error {
        None => Ok(work),
        Some(error) => bail!("{error}"),
    }
}

/// Shows the versions of the keyring's key and, where that was counted, what each of them still opens.
pub(crate) fn show(versions: &[KeyringVersion], uses: Option<&KeyUses>) -> anyhow::Result<()> {
    let created = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), output::date);
    let counted = |holder, id: Option<&str>| {
        let held = uses.map(|uses| uses.held.iter().find(|held| held.holder == holder && held.id.as_deref() == id));
        held.map(|held| held.map_or((0, 0), |held| (held.objects, held.uploads)))
    };
    let row = |name: &str, state: &str, created: String, counts: Option<(u64, u64)>| {
        let mut row = vec![name.to_owned(), state.to_owned(), created];
        row.extend(counts.into_iter().flat_map(|(objects, uploads)| [objects.to_string(), uploads.to_string()]));
        row
    };
    let mut rows = Vec::new();
    for version in versions {
        let state = if version.is_current { "current" } else { "retired" };
        let counts = counted(KeyHolder::Keyring, Some(&version.id));
        rows.push(row(&version.id, state, created(version.created_ms), counts));
    }
    let known = |id: &str| versions.iter().any(|version| version.id == id);
    for held in uses.iter().flat_map(|uses| &uses.held) {
        let (name, state) = match (held.holder, held.id.as_deref()) {
            (KeyHolder::Keyring, Some(id)) if known(id) => continue,
            (KeyHolder::Keyring, id) => (id.unwrap_or("?"), "missing"),
            (KeyHolder::Kms, id) if held.missing == held.objects + held.uploads => (id.unwrap_or("?"), "missing"),
            (KeyHolder::Kms, id) if held.missing > 0 => (id.unwrap_or("?"), "kms, some missing"),
            (KeyHolder::Kms, id) => (id.unwrap_or("?"), "kms"),
            (KeyHolder::Customer, _) => ("-", "customers"),
        };
        rows.push(row(name, state, "-".to_owned(), Some((held.objects, held.uploads))));
    }
    let head: &[&str] = &["KEY", "STATE", "CREATED", "OBJECTS", "UPLOADS"];
    output::table(if uses.is_some() { head } else { &head[..3] }, &rows)?;
    if let Some(uses) = uses {
        let missing: u64 = uses.held.iter().map(|held| held.missing).sum();
        output::line(&format!(
            "{} outdated, {missing} without their key, {} unreadable",
            uses.outdated, uses.unreadable
        ))?;
    }
    Ok(())
}

fn measured() -> ProgressStyle {
    let template = "{wide_bar} {pos}/{len} {per_sec} eta {eta} {msg}";
    ProgressStyle::with_template(template).expect("the template is well-formed")
}
