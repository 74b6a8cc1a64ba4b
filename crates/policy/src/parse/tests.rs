use proptest::prelude::*;

use super::*;

fn parse(json: &str) -> Result<Policy> {
    Policy::parse(json.as_bytes(), &BucketName::parse("bucket").unwrap())
}

fn error(json: &str) -> MalformedPolicy {
    parse(json).map(|_| ()).expect_err(json)
}

/// A policy of one statement that lacks nothing, with `from` replaced by `to`.
fn changed(from: &str, to: &str) -> String {
    let plain = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;
    assert!(plain.contains(from), "{from}");
    plain.replace(from, to)
}

#[test]
fn every_accepted_shape_is_accepted() {
    for (from, to) in [
        ("", ""),
        (r#""Version":"2012-10-17","#, ""),
        ("2012-10-17", "2008-10-17"),
        (r#"{"Version""#, r#"{"Id":"x","Version""#),
        (r#"{"Effect""#, r#"{"Sid":"","Effect""#),
        (r#""*""#, r#"{"AWS":["*"]}"#),
        ("Principal", "NotPrincipal"),
        (r#""s3:GetObject""#, r#"["S3:getobject","s3:Put*"]"#),
        ("s3:GetObject", "s3:*"),
        ("s3:GetObject", "*"),
        (r#""Action""#, r#""NotAction""#),
        (r#""Resource""#, r#""NotResource""#),
        ("bucket/*", "bucket/a/${aws:username}/*"),
        ("bucket/*", "bucket*"),
        ("bucket/*", "*"),
        ("bucket/*", "*/*"),
        ("bucket/*", "buc?et/x"),
        (r#""arn:aws:s3:::bucket/*""#, r#"["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"]"#),
        ("}]}", r#","Condition":{}}]}"#),
        (r#""s3:GetObject""#, r#"["s3:GetObject","s3:GetObjectVersion","s3:PutObjectRetention"]"#),
    ] {
        let json = changed(from, to);
        let parsed = parse(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert!(parsed.warnings().is_empty(), "{json}");
    }
    assert!(parse(&changed("[{", "{").replace("}]", "}")).is_ok(), "a statement may stand alone");
}

#[test]
fn a_deny_on_a_key_that_no_request_carries_is_warned_of() {
    let on = |effect: &str, name: &str| {
        let json = changed(
            r#""Effect":"Allow""#,
            &format!(r#""Sid":"S","Effect":"{effect}","Condition":{{"StringEquals":{{"{name}":"x"}}}}"#),
        );
        parse(&json).unwrap().warnings().to_vec()
    };
    for name in ["aws:SourceVpc", "s3:ExistingObjectTag/level", "S3:ResourceAccount"] {
        let warning = PolicyWarning::NeverCarried { name: name.to_owned(), sid: Some("S".to_owned()) };
        assert_eq!(on("Deny", name), [warning]);
        // An Allow that never holds lets nobody in.
        assert_eq!(on("Allow", name), []);
    }
    for name in ["s3:signatureversion", "S3:TlsVersion", "aws:username"] {
        assert_eq!(on("Deny", name), [], "{name}");
    }
}

#[test]
fn unknown_dates_are_a_version_with_a_warning_and_nothing_else_is() {
    for version in ["2018-05-24", "2025-12-31", "1999-01-01"] {
        let warnings = parse(&changed("2012-10-17", version)).unwrap().warnings().to_vec();
        assert_eq!(warnings, [PolicyWarning::UnknownVersion(version.to_owned())]);
    }
    for version in ["", "1", "2012-13-17", "2012-10-00", "2012-10-32", "2012/10/17", "2012-10-17 ", "201\u{e9}-10-17"] {
        assert_eq!(error(&changed("2012-10-17", version)), MalformedPolicy::InvalidVersion, "{version}");
    }
    assert_eq!(error(&changed(r#""2012-10-17""#, "20121017")), MalformedPolicy::InvalidVersion);
}

#[test]
fn what_is_not_a_json_object_is_refused() {
    for json in ["", " {}", "[]", "null", "{", "{}{}", "{} x", r#"{"a":1,"a":2}"#, "\u{feff}{}", r#"{"Id":"\ud800"}"#] {
        assert_eq!(error(json), MalformedPolicy::NotJson, "{json}");
    }
    let twice = changed(r#""Effect":"Allow""#, r#""Effect":"Deny","Effect":"Allow""#);
    assert_eq!(error(&twice), MalformedPolicy::NotJson);
    assert_eq!(error(&format!("{{\"Statement\":{}", "[".repeat(15_000))), MalformedPolicy::NotJson);
    let bucket = BucketName::parse("bucket").unwrap();
    assert_eq!(Policy::parse(b"{\"Id\":\"\xff\"}", &bucket).unwrap_err(), MalformedPolicy::NotJson);
}

#[test]
fn the_size_is_bounded() {
    let fill = |length| changed(r#""Version""#, &format!(r#""Id":"{}","Version""#, "x".repeat(length)));
    let room = Policy::LEN_MAX - fill(0).len();
    assert!(parse(&fill(room)).is_ok());
    assert_eq!(error(&fill(room + 1)), MalformedPolicy::TooLarge);
}

#[test]
fn every_malformed_element_has_its_own_error() {
    use MalformedPolicy::{
        ActionWithoutResource, InvalidAction, InvalidEffect, InvalidPrincipal, InvalidResource, MissingField,
        StatementEmpty, UnknownField,
    };
    let without = |name: &str| {
        let json = changed("", "");
        let start = json.find(&format!("\"{name}\"")).unwrap();
        let end = json[start..].find([',', '}']).unwrap() + start;
        let tail = json[end..].trim_start_matches(',').to_owned();
        let joined = format!("{}{tail}", &json[..start]);
        joined.replace(",}", "}")
    };
    for name in ["Effect", "Principal", "Action", "Resource"] {
        assert_eq!(error(&without(name)), MissingField(name), "{name}");
    }
    assert_eq!(error("{}"), MissingField("Statement"));
    assert_eq!(error(r#"{"Statement":[]}"#), StatementEmpty);
    for (from, to, expected) in [
        (r#""Version""#, r#""version""#, UnknownField("version".to_owned())),
        (r#""Effect""#, r#""Comment":"x","Effect""#, UnknownField("Comment".to_owned())),
        ("Allow", "allow", InvalidEffect("allow".to_owned())),
        (r#""*""#, r#""alice""#, InvalidPrincipal),
        (r#""*""#, r#"{"Federated":"*"}"#, InvalidPrincipal),
        ("s3:GetObject", "s3:FetchObject", InvalidAction),
        ("s3:GetObject", "s3:Fetch*", InvalidAction),
        ("s3:GetObject", "ec2:RunInstances", InvalidAction),
        ("s3:GetObject", "GetObject", InvalidAction),
        ("s3:GetObject", "s?:GetObject", InvalidAction),
        (r#""s3:GetObject""#, "5", InvalidAction),
        (r#""s3:GetObject""#, "[]", MissingField("Action")),
        ("arn:aws:s3:::bucket/*", "*", InvalidResource),
        ("arn:aws:s3:::bucket/*", "bucket/*", InvalidResource),
        ("bucket/*", "other/*", InvalidResource),
        ("bucket/*", "buckets/*", InvalidResource),
        ("bucket/*", "bucket/", InvalidResource),
        ("bucket/*", "", InvalidResource),
        (r#""arn:aws:s3:::bucket/*""#, r#"["arn:aws:s3:::bucket/*","arn:aws:s3:::other"]"#, InvalidResource),
        (r#""arn:aws:s3:::bucket/*""#, "[]", MissingField("Resource")),
        (r#""arn:aws:s3:::bucket/*""#, "null", InvalidResource),
        ("bucket/*", "bucket", ActionWithoutResource),
        ("s3:GetObject", "s3:ListBucket", ActionWithoutResource),
        (r#""s3:GetObject""#, r#"["s3:GetObject","s3:ListBucket"]"#, ActionWithoutResource),
        ("s3:GetObject", "s3:ListAllMyBuckets", ActionWithoutResource),
        ("bucket/*", "bucket/${aws:nonsense}", MalformedPolicy::InvalidConditionKey),
    ] {
        let json = changed(from, to);
        assert_eq!(error(&json), expected, "{json}");
    }
}

#[test]
fn wrong_types_and_contradictions_are_syntax_errors() {
    for (from, to) in [
        (r#""Version""#, r#""Id":5,"Version""#),
        (r#""Effect":"#, r#""Sid":null,"Effect":"#),
        (r#""Allow""#, "true"),
        (r#""Action""#, r#""NotAction":"s3:PutObject","Action""#),
        (r#""Principal""#, r#""NotPrincipal":"*","Principal""#),
        (r#""Resource""#, r#""NotResource":"arn:aws:s3:::bucket/x","Resource""#),
        ("}]}", r#","Condition":[]}]}"#),
        ("}]}", "},5]}"),
        ("}]}", "},[]]}"),
    ] {
        let json = changed(from, to);
        assert!(matches!(error(&json), MalformedPolicy::Syntax(_)), "{json}");
    }
    assert!(matches!(error(r#"{"Statement":"x"}"#), MalformedPolicy::Syntax(_)));
}

#[test]
fn conditions_must_fit_the_actions() {
    let with = |action: &str, resource: &str, condition: &str| {
        format!(
            r#"{{"Statement":{{"Effect":"Deny","Principal":"*","Action":"{action}","Resource":"arn:aws:s3:::{resource}",
            "Condition":{condition}}}}}"#
        )
    };
    let prefix = r#"{"StringLike":{"s3:prefix":"a*"}}"#;
    let encryption = r#"{"Null":{"s3:x-amz-server-side-encryption":"true"}}"#;
    assert!(parse(&with("s3:ListBucket", "bucket", prefix)).is_ok());
    assert!(parse(&with("s3:*", "bucket*", prefix)).is_ok());
    assert!(parse(&with("s3:PutObject", "bucket/*", encryption)).is_ok());
    assert!(parse(&with("s3:DeleteObject", "bucket/*", r#"{"Bool":{"aws:SecureTransport":false}}"#)).is_ok());
    for (action, resource, condition) in [
        ("s3:GetObject", "bucket/*", prefix),
        ("s3:*", "bucket/*", prefix),
        ("s3:ListBucket", "bucket", encryption),
        ("s3:DeleteObject", "bucket/*", encryption),
    ] {
        let json = with(action, resource, condition);
        assert_eq!(error(&json), MalformedPolicy::ConditionWithoutAction, "{json}");
    }
}

#[test]
fn the_messages_are_those_of_aws() {
    assert_eq!(MalformedPolicy::NotJson.to_string(), "Policies must be valid JSON and the first byte must be '{'");
    assert_eq!(error(&changed("s3:GetObject", "s3:X")).to_string(), "Policy has invalid action");
    assert_eq!(error(&changed("bucket/*", "x")).to_string(), "Policy has invalid resource");
    assert_eq!(error(&changed("Allow", "No")).to_string(), "Invalid effect: No");
}

/// Documents that are policies or nearly so: words of the language where others may stand.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Version",
        "2012-10-17",
        "2018-05-24",
        "Id",
        "Statement",
        "Sid",
        "Effect",
        "Allow",
        "Deny",
        "Principal",
        "AWS",
        "*",
        "Action",
        "NotAction",
        "s3:*",
        "s3:PutObject",
        "Resource",
        "arn:aws:s3:::bucket",
        "arn:aws:s3:::bucket/*",
        "arn:aws:s3:::bucket/${aws:username",
        "Condition",
        "StringNotEquals",
        "ForAllValues:StringLikeIfExists",
        "IpAddress",
        "DateLessThan",
        "s3:prefix",
        "${aws:username, 'é'}",
        "aws:SourceIp",
        "2020-01-01Té",
        "é",
    ]);
    let leaf = prop_oneof![
        word.clone().prop_map(|word| format!("{word:?}")),
        prop::sample::select(vec!["null", "true", "0", "-1e300", "[]", "{}"]).prop_map(str::to_owned),
    ];
    let value = leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    let elements = ["Version", "Effect", "Principal", "Action", "Resource", "Condition"];
    let member = (prop::sample::select(elements.to_vec()), value.clone());
    let statement = prop::collection::btree_map(member.0, member.1, 0..6).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
        format!(r#"{{"Statement":{{{}}}}}"#, members.join(","))
    });
    prop_oneof![value, statement]
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Policy::parse(&bytes, &BucketName::parse("bucket").unwrap());
    }

    #[test]
    fn no_document_that_is_nearly_a_policy_makes_the_parser_panic(json in nearly()) {
        let _ = parse(&json);
    }

    #[test]
    fn no_change_of_one_character_makes_the_parser_panic(at in 0_usize..100, character in any::<char>()) {
        let json = changed("}]}", r#","Condition":{"StringLike":{"aws:Referer":"${aws:username, 'x'}*"}}}]}"#);
        let mut characters: Vec<char> = json.chars().collect();
        let at = at * characters.len() / 100;
        characters[at] = character;
        let _ = parse(&characters.into_iter().collect::<String>());
    }
}
