//! The worked examples of the AWS page, "Examples: Signature Calculations".

use super::*;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const STAMP: &str = "20130524T000000Z";
const HOST: (&str, Cow<'static, str>) = ("host", Cow::Borrowed("examplebucket.s3.amazonaws.com"));
const DATE: (&str, Cow<'static, str>) = ("x-amz-date", Cow::Borrowed(STAMP));

fn signer() -> Signer {
    Signer::new(Arc::new(Credentials {
        access_key_id: Zeroizing::new("AKIAIOSFODNN7EXAMPLE".into()),
        secret_key: Zeroizing::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()),
        region: "us-east-1".into(),
    }))
}

fn signature_of(parts: &SignedParts<'_>) -> String {
    let authorization = signer().authorization(parts, STAMP);
    authorization.split_once("Signature=").unwrap().1.to_owned()
}

#[test]
fn get_object_example_is_signed_as_documented() {
    let headers = [HOST, ("range", "bytes=0-9".into()), ("x-amz-content-sha256", EMPTY.into()), DATE];
    let parts = SignedParts { method: "GET", path: "/test.txt", query: "", headers: &headers, payload_hash: EMPTY };
    assert_eq!(
        signer().authorization(&parts, STAMP),
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
}

#[test]
fn put_object_example_is_signed_as_documented() {
    let hash = hex::encode(Sha256::digest("Welcome to Amazon S3."));
    let headers = [
        ("date", "Fri, 24 May 2013 00:00:00 GMT".into()),
        HOST,
        ("x-amz-content-sha256", hash.as_str().into()),
        DATE,
        ("x-amz-storage-class", "REDUCED_REDUNDANCY".into()),
    ];
    let parts =
        SignedParts { method: "PUT", path: "/test%24file.text", query: "", headers: &headers, payload_hash: &hash };
    assert_eq!(signature_of(&parts), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

#[test]
fn subresource_and_list_examples_are_signed_as_documented() {
    for (query, signature) in [
        ("lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ] {
        let headers = [HOST, ("x-amz-content-sha256", EMPTY.into()), DATE];
        let parts = SignedParts { method: "GET", path: "/", query, headers: &headers, payload_hash: EMPTY };
        assert_eq!(signature_of(&parts), signature, "{query}");
    }
}

#[test]
fn the_next_day_has_another_signing_key() {
    let mut signer = signer();
    let first = *signer.signing_key("20130524");
    assert_ne!(first, *signer.signing_key("20130525"));
    assert_eq!(first, *signer.signing_key("20130524"));
}

#[test]
fn a_stamp_is_in_utc() {
    let time = OffsetDateTime::from_unix_timestamp(1_369_353_600).unwrap();
    assert_eq!(stamp(time), STAMP);
    assert_eq!(stamp(time.to_offset(time::UtcOffset::from_hms(5, 0, 0).unwrap())), STAMP);
}

#[test]
fn spaces_in_a_header_are_signed_as_one() {
    let signature = |value: &'static str| {
        let headers = [HOST, ("x-amz-content-sha256", EMPTY.into()), DATE, ("x-amz-meta-a", value.into())];
        signature_of(&SignedParts { method: "PUT", path: "/", query: "", headers: &headers, payload_hash: EMPTY })
    };
    assert_eq!(signature(" one  two   three "), signature("one two three"));
    assert_ne!(signature("one two"), signature("onetwo"));
}
