use super::*;
use clap::Parser;
use std::io::Write as _;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: BenchArgs,
}

async fn endpoints(line: &str) -> Result<Vec<Endpoint>, BenchError> {
    let words = ["bench", "put"].into_iter().chain(line.split_whitespace());
    let command = Command::try_parse_from(words).map_err(|error| error.to_string()).unwrap();
    Endpoint::all(&command.args, |name| match name {
        "AWS_ACCESS_KEY_ID" => Some("aws-id".into()),
        "CANOPIC_SECRET_KEY" => Some(String::new()),
        "AWS_SECRET_ACCESS_KEY" => Some("aws-secret".into()),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn another_machine_needs_an_explicit_flag() {
    let refused = endpoints("--endpoint http://192.0.2.1:9000").await;
    assert!(matches!(refused, Err(BenchError::RemoteEndpoint(_))));
    let allowed = endpoints("--endpoint http://192.0.2.1:9000 --allow-remote").await.unwrap();
    assert_eq!(allowed[0].address, "192.0.2.1:9000".parse().unwrap());
}

#[tokio::test]
async fn an_unchecked_certificate_is_for_loopback_only() {
    let refused = endpoints("--endpoint https://192.0.2.1:9000 --allow-remote --insecure-skip-verify").await;
    assert!(matches!(refused, Err(BenchError::UnverifiedRemote(_))));
    assert!(endpoints("--endpoint https://127.0.0.1:9000 --insecure-skip-verify").await.is_ok());
}

#[tokio::test]
async fn https_needs_something_to_trust() {
    let refused = endpoints("--endpoint https://127.0.0.1:9000").await;
    assert!(matches!(refused, Err(BenchError::NoCertificateAuthority)));
    let missing = endpoints("--endpoint https://127.0.0.1:9000 --ca /nonexistent.pem").await;
    assert!(matches!(missing, Err(BenchError::CertificateAuthority { .. })));
}

#[tokio::test]
async fn credentials_come_from_files_then_ours_then_those_of_aws() {
    let from_environment = endpoints("--endpoint http://127.0.0.1:1").await.unwrap();
    assert_eq!(from_environment[0].credentials.access_key_id.as_str(), "aws-id");
    assert_eq!(*from_environment[0].credentials.secret_key, "", "a token has an empty secret");
    let two = "--endpoint http://127.0.0.1:1 --endpoint http://127.0.0.1:2";
    let file = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    };
    let (first, second) = (file("access_key = a\nsecret_key = s"), file("token"));
    let option = |file: &tempfile::NamedTempFile| format!(" --credentials {}", file.path().display());
    let (first, second) = (option(&first), option(&second));
    let once = endpoints(&format!("{two}{first}")).await.unwrap();
    assert_eq!(once[1].credentials.access_key_id.as_str(), "a");
    let each = endpoints(&format!("{two}{first}{second}")).await.unwrap();
    assert_eq!((each[0].credentials.access_key_id.as_str(), each[0].credentials.secret_key.as_str()), ("a", "s"));
    assert_eq!((each[1].credentials.access_key_id.as_str(), each[1].credentials.secret_key.as_str()), ("token", ""));
    let three = endpoints(&format!("{two}{first}{first}{second}")).await;
    assert!(matches!(three, Err(BenchError::CountMismatch { given: 3, endpoints: 2, .. })));
}

#[test]
fn no_secret_is_taken_from_the_command_line() {
    for option in ["--secret-key=s", "--access-key=a"] {
        assert!(Command::try_parse_from(["bench", "put", option]).is_err(), "{option}");
    }
}

#[tokio::test]
async fn processes_belong_to_endpoints_in_order() {
    let two = "--endpoint http://127.0.0.1:1 --endpoint http://127.0.0.1:2";
    let each = endpoints(&format!("{two} --pid - --pid 7,8")).await.unwrap();
    assert_eq!((each[0].processes.len(), each[1].processes.as_slice()), (0, [7, 8].as_slice()));
    let one = endpoints("--endpoint http://127.0.0.1:1 --pid 7 --pid 8").await.unwrap();
    assert_eq!(one[0].processes, [7, 8]);
    assert!(matches!(endpoints(&format!("{two} --pid 7")).await, Err(BenchError::CountMismatch { .. })));
}
