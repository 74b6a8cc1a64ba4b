//! What `canopic serve` prints: where it is, and on the first run how to use it, ready to paste.
//!
//! It goes to standard output, not to the log: the first one holds the root pair, once.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Where the server is and what its clients need.
pub(crate) struct Welcome<'a> {
    pub(crate) https: Option<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
    /// The local CA; clients need none for the operator's own certificate.
    pub(crate) authority: Option<&'a Path>,
    pub(crate) region: &'a str,
    /// A root pair that was just made.
    pub(crate) root_pair: Option<(&'a str, &'a str)>,
}

impl Welcome<'_> {
    fn host_and_port(&self) -> (String, u16, bool) {
        let (address, secure) = match (self.https, self.http) {
            (Some(address), _) => (address, true),
            (None, Some(address)) => (address, false),
            (None, None) => unreachable!("a server without listeners is no valid configuration"),
        };
        (host(address.ip()), address.port(), secure)
    }
}

/// What a client on this machine calls the address; the certificate names it.
fn host(address: IpAddr) -> String {
    match address {
        address if address.is_loopback() || address.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

impl fmt::Display for Welcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port, secure) = self.host_and_port();
        let endpoint = format!("{}://{host}:{port}", if secure { "https" } else { "http" });
        writeln!(f, "Canopic serves S3 at {endpoint}")?;
        if let (true, Some(address)) = (secure, self.http) {
            writeln!(f, "and at http://{}:{} (no customer keys, no tokens)", self::host(address.ip()), address.port())?;
        }
        let authority = self.authority.map(|path| path.display().to_string());
        if let Some(authority) = &authority {
            writeln!(f, "CA certificate for clients: {authority}")?;
        }
        let Some((access_key_id, secret)) = self.root_pair else { return Ok(()) };
        writeln!(f, "\nThe root pair. It is shown this once:")?;
        writeln!(f, "  access key id      {access_key_id}\n  secret access key  {secret}")?;
        let snippets = Snippets {
            endpoint: &endpoint,
            host: &host,
            port,
            secure,
            authority: authority.as_deref(),
            region: self.region,
            access_key_id,
            secret,
        };
        snippets.fmt(f)
    }
}

struct Snippets<'a> {
    endpoint: &'a str,
    host: &'a str,
    port: u16,
    secure: bool,
    authority: Option<&'a str>,
    region: &'a str,
    access_key_id: &'a str,
    secret: &'a str,
}

impl Snippets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (client, text) in [
            ("boto3 (Python)", self.boto3()),
            ("boto 2 (Python)", self.boto2()),
            ("aws-cli (shell)", self.aws_cli()),
            ("s3cmd (shell)", self.s3cmd()),
            ("rclone (shell)", self.rclone()),
        ] {
            writeln!(f, "\n# ---- {client}\n{text}")?;
        }
        Ok(())
    }

    fn boto3(&self) -> String {
        let Self { endpoint, region, access_key_id, secret, .. } = self;
        let verify = self.authority.map_or(String::new(), |path| format!(", verify={}", quote(path)));
        format!(
            "import boto3\ns3 = boto3.client(\"s3\", endpoint_url=\"{endpoint}\", region_name=\"{region}\",\n    \
             aws_access_key_id=\"{access_key_id}\", aws_secret_access_key={}{verify})",
            quote(secret)
        )
    }

    fn boto2(&self) -> String {
        let Self { host, port, access_key_id, secret, .. } = self;
        let trust = self
            .authority
            .map_or(String::new(), |path| format!("import os; os.environ[\"SSL_CERT_FILE\"] = {}\n", quote(path)));
        let secure = if self.secure { "True" } else { "False" };
        format!(
            "{trust}import boto, boto.s3.connection\nconn = boto.connect_s3(aws_access_key_id=\"{access_key_id}\", \
             aws_secret_access_key={},\n    host=\"{host}\", port={port}, is_secure={secure}, \
             calling_format=boto.s3.connection.OrdinaryCallingFormat())",
            quote(secret)
        )
    }

    fn aws_cli(&self) -> String {
        let Self { endpoint, region, access_key_id, secret, .. } = self;
        let trust = self.authority.map_or(String::new(), |path| format!(" AWS_CA_BUNDLE={}", shell(path)));
        format!(
            "export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={region}{trust}\n\
             export AWS_ACCESS_KEY_ID={access_key_id} AWS_SECRET_ACCESS_KEY={}\naws s3 ls",
            shell(secret)
        )
    }

    /// A `host_bucket` with the bucket behind a slash, as one finds it in guides, works with signature version 2 only:
    /// s3cmd signs the path as part of the host.
    fn s3cmd(&self) -> String {
        let Self { host, port, region, access_key_id, secret, .. } = self;
        let trust = self.authority.map_or(String::new(), |path| format!("ca_certs_file = {path}\n"));
        let secure = if self.secure { "True" } else { "False" };
        format!(
            "(umask 077; cat > ~/.s3cfg-canopic <<'END'\n[default]\nhost_base = {host}:{port}\n\
             host_bucket = {host}:{port}\nuse_https = {secure}\n{trust}bucket_location = {region}\naccess_key = {access_key_id}\n\
             secret_key = {secret}\nEND\n)\ns3cmd -c ~/.s3cfg-canopic ls"
        )
    }

    fn rclone(&self) -> String {
        let Self { endpoint, region, access_key_id, secret, .. } = self;
        let trust = self.authority.map_or(String::new(), |path| format!("export RCLONE_CA_CERT={}\n", shell(path)));
        format!(
            "{trust}export RCLONE_CONFIG_CANOPIC_TYPE=s3 RCLONE_CONFIG_CANOPIC_PROVIDER=Other\n\
             export RCLONE_CONFIG_CANOPIC_ENDPOINT={endpoint} RCLONE_CONFIG_CANOPIC_REGION={region}\n\
             export RCLONE_CONFIG_CANOPIC_ACCESS_KEY_ID={access_key_id} RCLONE_CONFIG_CANOPIC_SECRET_ACCESS_KEY={}\n\
             rclone lsd canopic:",
            shell(secret)
        )
    }
}

/// A Python string.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A word of a shell, in quotes only if it needs them.
fn shell(text: &str) -> String {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=._-:,@".contains(&b));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(root_pair: Option<(&str, &str)>) -> String {
        let authority = Path::new("/data dir/tls/ca.pem");
        let https = "127.0.0.1:9443".parse().ok();
        Welcome { https, http: None, authority: Some(authority), region: "us-east-1", root_pair }.to_string()
    }

    #[test]
    fn the_first_welcome_has_the_pair_and_a_snippet_for_each_client() {
        let text = welcome(Some(("AKIAEXAMPLE", "se/cret+x")));
        for expected in [
            "https://localhost:9443",
            "aws_secret_access_key=\"se/cret+x\", verify=\"/data dir/tls/ca.pem\"",
            "os.environ[\"SSL_CERT_FILE\"] = \"/data dir/tls/ca.pem\"",
            "AWS_CA_BUNDLE='/data dir/tls/ca.pem'",
            "secret_key = se/cret+x\n",
            "RCLONE_CONFIG_CANOPIC_SECRET_ACCESS_KEY=se/cret+x",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[test]
    fn later_welcomes_are_two_lines() {
        assert_eq!(
            welcome(None),
            "Canopic serves S3 at https://localhost:9443\nCA certificate for clients: /data dir/tls/ca.pem\n"
        );
    }

    #[test]
    fn an_address_of_a_network_is_named_as_it_is() {
        assert_eq!(host("0.0.0.0".parse().unwrap()), "localhost");
        assert_eq!(host("192.0.2.1".parse().unwrap()), "192.0.2.1");
        assert_eq!(host("2001:db8::1".parse().unwrap()), "[2001:db8::1]");
    }

    #[test]
    fn quoting_survives_quotes() {
        assert_eq!(shell("a'b"), r"'a'\''b'");
        assert_eq!(quote("a\"b\\c"), "\"a\\\"b\\\\c\"");
    }
}
