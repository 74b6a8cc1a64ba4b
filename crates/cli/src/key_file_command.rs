//! Customer keys in files, and how other clients are given them.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use client::{CustomerKey, key_file};
use zeroize::Zeroizing;

use crate::objects::read_key;
use crate::output;

#[derive(clap::Subcommand)]
pub(crate) enum KeyFileCommand {
    /// Make a fresh 256-bit key in a new file that only you can read; never overwrites
    New {
        /// The file to make
        file: PathBuf,
    },
    /// Print the headers of a key, and what to give to boto3, boto 2, aws-cli, s3cmd and rclone: SECRET output
    Show {
        /// A key file of any known form
        file: PathBuf,
    },
    /// Write the 32 bare bytes of a key to standard output, for other clients; not to a terminal
    Raw {
        /// A key file of any known form
        file: PathBuf,
    },
}

pub(crate) fn run(command: KeyFileCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyFileCommand::New { file } => {
            key_file::create(&file)?;
            output::note(&format!(
                "made {}: keep a copy in a safe place; without it nobody can read what is encrypted under it",
                file.display()
            ));
        }
        KeyFileCommand::Show { file } => {
            let key = read_key(&file)?;
            output::note("warning: what follows IS the key; whoever sees it can read your data");
            let mut out = std::io::stdout().lock();
            out.write_all(headers_and_snippets(&key, &file).as_bytes())?;
            out.flush()?;
        }
        KeyFileCommand::Raw { file } => {
            let mut out = std::io::stdout().lock();
            ensure!(!out.is_terminal(), "these bytes are no text: give them to a file or a program");
            out.write_all(read_key(&file)?.expose())?;
            out.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The text stands in memory that is wiped; it is reserved in full, since one that grew would leave a part behind.
fn headers_and_snippets(key: &CustomerKey, file: &Path) -> Zeroizing<String> {
    let file = shell_word(&file.display().to_string());
    let fields = [("{KEY}", key.expose_base64()), ("{MD5}", key.md5_base64()), ("{FILE}", &file)];
    let mut text = Zeroizing::new(String::with_capacity(SNIPPETS.len() + 20 * (file.len() + 64)));
    let mut rest = SNIPPETS;
    while let Some(at) = rest.find('{') {
        let (before, field) = rest.split_at(at);
        text.push_str(before);
        let (name, value) = fields.iter().find(|(name, _)| field.starts_with(name)).unwrap_or(&("{", "{"));
        text.push_str(value);
        rest = &field[name.len()..];
    }
    text.push_str(rest);
    text
}

/// In single quotes, as the shell takes any text.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

const SNIPPETS: &str = r#"# The three headers of every request that writes or reads an object
x-amz-server-side-encryption-customer-algorithm: AES256
x-amz-server-side-encryption-customer-key: {KEY}
x-amz-server-side-encryption-customer-key-MD5: {MD5}

# canopic
canopic put --key-file {FILE} FILE s3://BUCKET/KEY
canopic get --key-file {FILE} s3://BUCKET/KEY

# boto3 (it computes the MD5 itself)
import base64
sse_c = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": base64.b64decode("{KEY}")}
s3.upload_file("FILE", "BUCKET", "KEY", ExtraArgs=sse_c)
s3.download_file("BUCKET", "KEY", "FILE", ExtraArgs=sse_c)

# boto 2
sse_c = {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": "{KEY}",
    "x-amz-server-side-encryption-customer-key-MD5": "{MD5}",
}
bucket.new_key("KEY").set_contents_from_filename("FILE", headers=dict(sse_c), encrypt_key=True)
bucket.get_key("KEY", headers=dict(sse_c)).get_contents_to_filename("FILE", headers=dict(sse_c))

# aws-cli (in bash; the key does not appear in the list of processes)
aws s3 cp --sse-c AES256 --sse-c-key fileb://<(canopic key-file raw {FILE}) FILE s3://BUCKET/KEY
aws s3 cp --sse-c AES256 --sse-c-key fileb://<(canopic key-file raw {FILE}) s3://BUCKET/KEY FILE

# s3cmd (only on a machine of your own: the key stands in the list of processes while it runs)
#   Uploads in one request only: its parts and downloads do not carry the key.
s3cmd put --disable-multipart \
    --add-header='x-amz-server-side-encryption-customer-algorithm:AES256' \
    --add-header='x-amz-server-side-encryption-customer-key:{KEY}' \
    --add-header='x-amz-server-side-encryption-customer-key-MD5:{MD5}' FILE s3://BUCKET/KEY

# rclone
export RCLONE_S3_SSE_CUSTOMER_ALGORITHM=AES256
export RCLONE_S3_SSE_CUSTOMER_KEY_BASE64={KEY}
rclone copyto FILE REMOTE:BUCKET/KEY
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_filled_and_nothing_else_is_changed() {
        let key = CustomerKey::new(Zeroizing::new([7; 32]));
        let text = headers_and_snippets(&key, Path::new("/tmp/it's mine.key"));
        let written = format!("customer-key: {}\n", key.expose_base64());
        assert!(text.contains(&written) && text.contains(key.md5_base64()));
        assert!(text.contains(r"canopic key-file raw '/tmp/it'\''s mine.key'"));
        assert!(
            text.contains(r#"sse_c = {"SSECustomerAlgorithm": "AES256""#) && text.contains("sse_c = {\n    \"x-amz")
        );
        for field in ["{KEY}", "{MD5}", "{FILE}"] {
            assert!(!text.contains(field), "{field}");
        }
        let s3cmd = text.split("\n\n").find(|snippet| snippet.starts_with("# s3cmd")).unwrap();
        assert!(s3cmd.contains("list of processes"), "{s3cmd}");
        // The guide's bucket policy wants the mode's header besides the key's.
        assert!(text.contains("headers=dict(sse_c), encrypt_key=True)"));
        assert!(text.capacity() >= text.len());
    }
}
