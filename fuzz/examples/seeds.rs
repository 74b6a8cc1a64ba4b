//! Writes into the corpus what the crates themselves can seal, so that fuzzing gets behind the tags. Run in `fuzz/`: `cargo run --example seeds`.

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    for (number, (target, bytes)) in envelope::fuzzing::seeds().into_iter().enumerate() {
        let folder = Path::new("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{number:02}")), bytes)?;
    }
    Ok(())
}
