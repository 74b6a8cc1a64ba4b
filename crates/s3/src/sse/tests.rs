use super::*;

const ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const KEY: &str = "x-amz-server-side-encryption-customer-key";
const MD5: &str = "x-amz-server-side-encryption-customer-key-MD5";
const MODE: &str = "x-amz-server-side-encryption";
const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const KMS_CONTEXT: &str = "x-amz-server-side-encryption-context";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn encoded_key(length: usize) -> String {
    STANDARD.encode(vec![b'k'; length])
}

fn md5_of(length: usize) -> String {
    STANDARD.encode(Md5::digest(vec![b'k'; length]))
}

fn trio(key: &str, md5: &str) -> HeaderMap {
    headers(&[(ALGORITHM, "AES256"), (KEY, key), (MD5, md5)])
}

fn refusal(mut headers: HeaderMap) -> (String, String) {
    let refusal = match take_write(&mut headers, SseCWithAes256::Allow) {
        Ok(_) => panic!("accepted"),
        Err(refusal) => refusal,
    };
    assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
    assert!(!format!("{refusal:?}").contains(&encoded_key(32)), "an error repeats the key");
    (refusal.code.into_owned(), refusal.message.into_owned())
}

#[test]
fn a_complete_trio_is_taken_out_of_the_headers() {
    let mut headers = trio(&encoded_key(32), &md5_of(32));
    headers.insert("x-amz-meta-a", HeaderValue::from_static("b"));
    let taken = take_customer_key(&mut headers).unwrap().unwrap();
    assert_eq!(taken.md5, md5_of(32));
    assert_eq!(headers.len(), 1, "nothing of the key is left");
}

#[test]
fn no_headers_leave_the_mode_to_the_bucket() {
    let write = take_write(&mut HeaderMap::new(), SseCWithAes256::Allow).ok().unwrap();
    assert!(matches!(write.encryption, WriteEncryption::Unspecified { bucket_key: None }));
    assert_eq!(write.requested, RequestedEncryption { server_header: false, customer_header: false, kms: None });
    let write = take_write(&mut headers(&[(MODE, "AES256")]), SseCWithAes256::Allow).ok().unwrap();
    assert!(matches!(write.encryption, WriteEncryption::Server));
    assert_eq!(write.requested, RequestedEncryption { server_header: true, customer_header: false, kms: None });
}

#[test]
fn the_mix_of_the_guide_is_sse_c_and_shows_both_to_policies() {
    let mut mixed = trio(&encoded_key(32), &md5_of(32));
    mixed.insert(MODE, HeaderValue::from_static("AES256"));
    let write = take_write(&mut mixed, SseCWithAes256::Allow).ok().unwrap();
    assert!(matches!(write.encryption, WriteEncryption::Customer(_)));
    assert_eq!(write.requested, RequestedEncryption { server_header: true, customer_header: true, kms: None });
    assert_eq!(write.repeated.customer_md5, Some(md5_of(32)));
}

#[test]
fn every_other_mix_is_a_conflict_before_anything_else() {
    for mode in ["aws:kms", "aws:kms:dsse", "aes256", "", "AES128"] {
        for partial in [&[(ALGORITHM, "AES256")][..], &[(ALGORITHM, "bogus")], &[(KEY, "junk")], &[(MD5, "junk")]] {
            let mut mixed = headers(partial);
            mixed.insert(MODE, HeaderValue::from_static(mode));
            assert_eq!(refusal(mixed), ("InvalidArgument".into(), CONFLICT.into()), "{mode} {partial:?}");
        }
    }
    let mut mixed = trio(&encoded_key(32), &md5_of(32));
    mixed.insert(kms::KEY_ID, HeaderValue::from_static("id"));
    assert_eq!(refusal(mixed), ("InvalidArgument".into(), CONFLICT.into()));
}

#[test]
fn an_incomplete_trio_with_the_mode_is_not_the_mix_of_the_guide() {
    for partial in [&[(ALGORITHM, "AES256")][..], &[(KEY, "x")], &[(MD5, "x")]] {
        let mut mixed = headers(partial);
        mixed.insert(MODE, HeaderValue::from_static("AES256"));
        assert_eq!(refusal(mixed).0, "InvalidArgument", "{partial:?}");
    }
}

#[test]
fn the_errors_are_those_of_aws() {
    let (good, md5) = (encoded_key(32), md5_of(32));
    let invalid = |message: &str| ("InvalidArgument".to_owned(), message.to_owned());
    for algorithm in ["aes256", "AES128", "AES256 "] {
        let mut headers = trio(&good, &md5);
        headers.insert(ALGORITHM, HeaderValue::from_str(algorithm).unwrap());
        let expected = ("InvalidEncryptionAlgorithmError".to_owned(), INVALID_ALGORITHM.to_owned());
        assert_eq!(refusal(headers), expected, "{algorithm}");
    }
    assert_eq!(refusal(headers(&[(KEY, &good), (MD5, &md5)])), invalid(MISSING_ALGORITHM));
    assert_eq!(refusal(headers(&[(KEY, &good)])), invalid(MISSING_ALGORITHM));
    assert_eq!(refusal(headers(&[(MD5, &md5)])), invalid(MISSING_ALGORITHM));
    assert_eq!(refusal(headers(&[(ALGORITHM, "AES256"), (MD5, &md5)])), invalid(MISSING_KEY));
    assert_eq!(refusal(trio("", &md5)), invalid(MISSING_KEY));
    assert_eq!(refusal(headers(&[(ALGORITHM, "AES256"), (KEY, &good)])), invalid(MISSING_MD5));
    for length in [0, 1, 16, 24, 31, 33, 64] {
        let encoded = format!("{}=", encoded_key(length)).replace("==", "=");
        assert_eq!(refusal(trio(&encoded, &md5_of(length))).0, "InvalidArgument", "{length}");
        if length > 0 {
            assert_eq!(refusal(trio(&encoded_key(length), &md5_of(length))), invalid(INVALID_KEY), "{length}");
        }
    }
    for junk in
        [good.trim_end_matches('=').to_owned(), format!("{} ", &good[..43]), good.replace('a', "-"), "%".repeat(44)]
    {
        assert_eq!(refusal(trio(&junk, &md5)), invalid(INVALID_KEY), "{junk}");
    }
    for wrong in [md5_of(31), hex::encode(Md5::digest([b'k'; 32])), md5.trim_end_matches('=').to_owned(), "junk".into()]
    {
        assert_eq!(refusal(trio(&good, &wrong)), invalid(MD5_MISMATCH), "{wrong}");
    }
}

#[test]
fn a_mode_does_not_belong_to_reads_and_parts() {
    for mode in ["AES256", "aws:kms", "junk"] {
        let error = take_customer_key(&mut headers(&[(MODE, mode)])).err().unwrap();
        assert_eq!(error.code, "InvalidArgument");
        assert!(error.message.contains("is not supported for this operation"));
    }
}

#[test]
fn kms_is_a_mode_and_unknown_ones_are_invalid() {
    let take = |pairs: &[(&str, &str)]| take_write(&mut headers(pairs), SseCWithAes256::Allow);
    let error = |pairs: &[(&str, &str)]| take(pairs).err().map(|e| e.code.into_owned());
    let write = take(&[(MODE, "aws:kms"), (KMS_KEY, "alias/k1"), (KMS_CONTEXT, "e30=")]);
    let write = write.ok().unwrap();
    let WriteEncryption::Kms(wrap) = write.encryption else { panic!("another mode") };
    assert_eq!(wrap.kms_key.unwrap().as_str(), "k1");
    assert_eq!(write.requested.kms.unwrap().key_id.as_deref(), Some("alias/k1"));
    assert!(!write.requested.server_header && !write.requested.customer_header);
    assert_eq!(write.repeated.context.as_deref(), Some("e30="));
    assert_eq!(error(&[(MODE, "aws:kms:dsse")]).as_deref(), Some("NotImplemented"));
    for mode in ["aes256", "", "AWS:KMS", "aes:kms"] {
        assert_eq!(error(&[(MODE, mode)]).as_deref(), Some("InvalidArgument"), "{mode}");
    }
    for mode in [None, Some("AES256")] {
        let mut pairs = vec![(KMS_KEY, "id")];
        pairs.extend(mode.map(|mode| (MODE, mode)));
        assert_eq!(error(&pairs).as_deref(), Some("InvalidArgument"), "{mode:?}");
    }
}

#[test]
fn a_strict_server_refuses_the_mix_of_the_guide() {
    let mut mixed = trio(&encoded_key(32), &md5_of(32));
    mixed.insert(MODE, HeaderValue::from_static("AES256"));
    let refusal = take_write(&mut mixed, SseCWithAes256::Refuse).err().unwrap();
    assert_eq!((refusal.status.as_u16(), &*refusal.code, &*refusal.message), (400, "InvalidArgument", CONFLICT));
    assert!(take_write(&mut trio(&encoded_key(32), &md5_of(32)), SseCWithAes256::Refuse).is_ok());
    assert!(take_write(&mut headers(&[(MODE, "AES256")]), SseCWithAes256::Refuse).is_ok());
}

#[test]
fn the_copy_source_has_headers_of_its_own() {
    let prefixed: Vec<_> = [(ALGORITHM, "AES256".to_owned()), (KEY, encoded_key(32)), (MD5, md5_of(32))]
        .map(|(name, value)| (name.replacen("x-amz-", "x-amz-copy-source-", 1), value))
        .into();
    let pairs: Vec<_> = prefixed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut map = headers(&pairs);
    assert!(take_customer_key(&mut map).unwrap().is_none());
    assert!(take_copy_source_key(&mut map).unwrap().is_some());
    assert!(map.is_empty());
}
