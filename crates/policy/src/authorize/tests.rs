use model::{BucketName, ObjectKey};
use proptest::prelude::*;

use super::*;

const DOCUMENT_OF_THE_GUIDE: &str = r#"{
   "Version":"2018-05-24",
   "Id":"PutObjPolicy",
   "Statement":[{
         "Sid":"DenyUnEncryptedObjectUploads",
         "Effect":"Deny",
         "Principal":{
            "AWS":"*"
         },
         "Action":"s3:PutObject",
         "Resource":"arn:aws:s3:::%s/*",
         "Condition":{
            "StringNotEquals":{
               "s3:x-amz-server-side-encryption":"AES256"
            }
         }
      }
   ]
}"#;

const SSE: &str = "s3:x-amz-server-side-encryption";
const SSE_C: &str = "s3:x-amz-server-side-encryption-customer-algorithm";

fn bucket() -> BucketName {
    BucketName::parse("testfile2").unwrap()
}

fn root() -> Principal {
    Principal::from_arn("arn:aws:iam::111111111111:root").unwrap()
}

fn owner() -> Principal {
    Principal::from_arn("arn:aws:iam::111111111111:user/owner").unwrap()
}

fn other() -> Principal {
    Principal::from_arn("arn:aws:iam::111111111111:user/other").unwrap()
}

fn object() -> Resource {
    Resource::Object(bucket(), ObjectKey::parse("docs/test.txt").unwrap())
}

fn resource_for(action: Action) -> Resource {
    let resources = [Resource::Service, Resource::Bucket(bucket()), object()];
    resources.into_iter().find(|resource| action.applies_to(resource)).expect("every action has a resource")
}

fn policy(json: &str) -> Policy {
    Policy::parse(json.as_bytes(), &bucket()).expect("a policy")
}

/// One statement for `principal` on everything in the bucket and the bucket itself.
fn statement(effect: &str, principal: &str, action: &str, condition: &str) -> String {
    format!(
        r#"{{"Sid":"one","Effect":"{effect}","Principal":{principal},"Action":"{action}",
        "Resource":["arn:aws:s3:::testfile2","arn:aws:s3:::testfile2/*"],"Condition":{condition}}}"#
    )
}

fn document(statements: &[String]) -> Policy {
    policy(&format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(",")))
}

fn ask(principal: &Principal, action: Action, context: &Context, policy: Option<&Policy>) -> Result<(), DenialReason> {
    let owner = owner();
    let standing = Standing { owner: Some(&owner), policy, acl_allows: false };
    let answer = authorize(principal, action, resource_for(action), context, &standing);
    answer.map(|_| ()).map_err(|denied| denied.reason().clone())
}

fn allowed(principal: &Principal, action: Action, context: &Context, policy: &Policy) -> bool {
    ask(principal, action, context, Some(policy)).is_ok()
}

/// What each principal may do in another's bucket or the own one, with no policy at all, with everything denied to
/// everybody, and with everything allowed to everybody: `Y` or `n` for root, owner, another user, the anonymous.
///
/// The match has no wildcard: an action without a row does not compile.
const fn row(action: Action) -> [&'static str; 3] {
    match action {
        // The service has no policy.
        Action::ListAllMyBuckets => ["YYYn", "YYYn", "YYYn"],
        Action::CreateBucket => ["YYYn", "nnnn", "YYYY"],
        Action::GetBucketPolicy | Action::PutBucketPolicy | Action::DeleteBucketPolicy => ["YYnn", "YYnn", "YYYY"],
        Action::DeleteBucket
        | Action::ListBucket
        | Action::GetBucketLocation
        | Action::GetBucketVersioning
        | Action::ListBucketMultipartUploads
        | Action::GetBucketPolicyStatus
        | Action::GetBucketAcl
        | Action::PutBucketAcl
        | Action::GetEncryptionConfiguration
        | Action::PutEncryptionConfiguration
        | Action::GetObject
        | Action::GetObjectAttributes
        | Action::PutObject
        | Action::DeleteObject
        | Action::GetObjectAcl
        | Action::PutObjectAcl
        | Action::UpdateObjectEncryption
        | Action::AbortMultipartUpload
        | Action::ListMultipartUploadParts => ["YYnn", "nnnn", "YYYY"],
    }
}

#[test]
fn every_principal_may_what_the_table_says() {
    let deny_all = document(&[statement("Deny", r#""*""#, "s3:*", "{}")]);
    let allow_all = document(&[statement("Allow", r#""*""#, "s3:*", "{}")]);
    for action in Action::ALL {
        let policies = match action {
            Action::ListAllMyBuckets => [None, None, None],
            _ => [None, Some(&deny_all), Some(&allow_all)],
        };
        for (policy, expected) in policies.into_iter().zip(row(*action)) {
            let principals = [root(), owner(), other(), Principal::Anonymous];
            let answers = principals.map(|who| ask(&who, *action, &Context::new(), policy).is_ok());
            let answers: String = answers.iter().map(|yes| if *yes { 'Y' } else { 'n' }).collect();
            assert_eq!(answers, expected, "{action}, {} policy", policy.map_or("no", |_| "a"));
        }
    }
}

#[test]
fn the_policy_of_the_guide_does_what_the_guide_says() {
    let guide = policy(&DOCUMENT_OF_THE_GUIDE.replace("%s", "testfile2"));
    assert_eq!(guide.warnings(), [crate::PolicyWarning::UnknownVersion("2018-05-24".to_owned())]);
    assert!(!guide.is_public());
    let encrypted = Context::new().with(SSE, "AES256");
    for who in [owner(), root()] {
        let refused = Err(DenialReason::ExplicitDeny { sid: Some("DenyUnEncryptedObjectUploads".to_owned()) });
        assert_eq!(ask(&who, Action::PutObject, &Context::new(), Some(&guide)), refused);
        assert_eq!(ask(&who, Action::PutObject, &Context::new().with(SSE, "aws:kms"), Some(&guide)), refused);
        assert_eq!(ask(&who, Action::PutObject, &Context::new().with(SSE_C, "AES256"), Some(&guide)), refused);
        assert!(allowed(&who, Action::PutObject, &encrypted, &guide));
        assert!(allowed(&who, Action::PutObject, &encrypted.clone().with(SSE_C, "AES256"), &guide));
        assert!(allowed(&who, Action::GetObject, &Context::new(), &guide));
        assert!(allowed(&who, Action::DeleteObject, &Context::new(), &guide));
    }
    assert_eq!(ask(&other(), Action::PutObject, &encrypted, Some(&guide)), Err(DenialReason::NoAllow));
}

#[test]
fn the_corrected_policy_demands_a_customer_key() {
    let corrected =
        document(&[statement("Deny", r#""*""#, "s3:PutObject", &format!(r#"{{"Null":{{"{SSE_C}":"true"}}}}"#))]);
    assert!(!allowed(&owner(), Action::PutObject, &Context::new(), &corrected));
    assert!(!allowed(&owner(), Action::PutObject, &Context::new().with(SSE, "AES256"), &corrected));
    assert!(allowed(&owner(), Action::PutObject, &Context::new().with(SSE_C, "AES256"), &corrected));
}

#[test]
fn the_value_of_null_is_honoured() {
    for value in [r#""false""#, "false"] {
        let condition = format!(r#"{{"Null":{{"{SSE_C}":{value}}}}}"#);
        let forbids = document(&[statement("Deny", r#""*""#, "s3:PutObject", &condition)]);
        assert!(allowed(&owner(), Action::PutObject, &Context::new(), &forbids));
        assert!(!allowed(&owner(), Action::PutObject, &Context::new().with(SSE_C, "AES256"), &forbids));
    }
}

#[test]
fn plain_http_is_denied_where_the_policy_says_so() {
    let tls_only = document(&[statement("Deny", r#""*""#, "s3:*", r#"{"Bool":{"aws:SecureTransport":"false"}}"#)]);
    let over = |tls: &'static str| Context::new().with("aws:SecureTransport", tls);
    assert!(!allowed(&owner(), Action::GetObject, &over("false"), &tls_only));
    assert!(allowed(&owner(), Action::GetObject, &over("true"), &tls_only));
    // The way out stays open.
    assert!(allowed(&owner(), Action::DeleteBucketPolicy, &over("false"), &tls_only));
}

#[test]
fn a_deny_outweighs_an_allow_wherever_it_stands() {
    let allow = statement("Allow", r#""*""#, "s3:GetObject", "{}");
    let deny = statement("Deny", r#"{"AWS":"arn:aws:iam::111111111111:user/other"}"#, "s3:Get*", "{}");
    for statements in [[allow.clone(), deny.clone()], [deny, allow]] {
        let policy = document(&statements);
        assert!(!allowed(&other(), Action::GetObject, &Context::new(), &policy));
        assert!(allowed(&Principal::Anonymous, Action::GetObject, &Context::new(), &policy));
    }
}

#[test]
fn an_access_control_list_allows_but_does_not_outweigh_a_deny() {
    let (owner, deny) = (owner(), document(&[statement("Deny", r#""*""#, "s3:GetObject", "{}")]));
    let with = |policy| {
        let standing = Standing { owner: Some(&owner), policy, acl_allows: true };
        authorize(&Principal::Anonymous, Action::GetObject, object(), &Context::new(), &standing).is_ok()
    };
    assert!(with(None));
    assert!(!with(Some(&deny)));
}

#[test]
fn what_cannot_be_evaluated_binds_a_deny_and_voids_an_allow() {
    let context = Context::new().with("s3:max-keys", "many");
    let condition = r#"{"NumericLessThan":{"s3:max-keys":"10"}}"#;
    let deny = document(&[statement("Deny", r#""*""#, "s3:ListBucket", condition)]);
    let reason = DenialReason::Unevaluable { sid: Some("one".to_owned()) };
    assert_eq!(ask(&owner(), Action::ListBucket, &context, Some(&deny)), Err(reason));
    let allow = document(&[statement("Allow", r#""*""#, "s3:ListBucket", condition)]);
    assert_eq!(ask(&other(), Action::ListBucket, &context, Some(&allow)), Err(DenialReason::NoAllow));
    let home = r#"{"StringNotLike":{"s3:prefix":"${aws:username}/*"}}"#;
    let deny = document(&[statement("Deny", r#""*""#, "s3:ListBucket", home)]);
    let context = Context::new().with("s3:prefix", "x/");
    assert!(ask(&root(), Action::ListBucket, &context, Some(&deny)).is_err());
}

#[test]
fn a_user_variable_gives_everybody_an_own_folder() {
    let home = policy(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:PutObject",
        "Resource":"arn:aws:s3:::testfile2/${aws:username}/*"}}"#,
    );
    let put = |who: &Principal, text: &str| {
        let owner = owner();
        let standing = Standing { owner: Some(&owner), policy: Some(&home), acl_allows: false };
        let resource = Resource::Object(bucket(), ObjectKey::parse(text).unwrap());
        // A caller cannot lend somebody another's name.
        authorize(who, Action::PutObject, resource, &Context::new().with("aws:username", "docs"), &standing).is_ok()
    };
    assert!(put(&other(), "other/a"));
    assert!(!put(&other(), "docs/a"));
    assert!(!put(&other(), "otherwise/a"));
    assert!(!put(&Principal::Anonymous, "docs/a"));
}

#[test]
fn in_the_old_version_variables_are_plain_text() {
    let json = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket",
        "Resource":"arn:aws:s3:::testfile2","Condition":{"StringEquals":{"s3:prefix":"${aws:username}"}}}}"#;
    let old = policy(json);
    assert!(!allowed(&other(), Action::ListBucket, &Context::new().with("s3:prefix", "other"), &old));
    assert!(allowed(&other(), Action::ListBucket, &Context::new().with("s3:prefix", "${aws:username}"), &old));
}

#[test]
fn what_a_statement_excludes_it_is_not_about() {
    let json = r#"{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111111111111:user/other"},
        "NotAction":"s3:Get*","NotResource":"arn:aws:s3:::testfile2/public/*"}}"#;
    let all_but = policy(json);
    let may = |who: &Principal, action, text: &str| {
        let owner = owner();
        let standing = Standing { owner: Some(&owner), policy: Some(&all_but), acl_allows: true };
        let resource = Resource::Object(bucket(), ObjectKey::parse(text).unwrap());
        authorize(who, action, resource, &Context::new(), &standing).is_ok()
    };
    assert!(!may(&owner(), Action::PutObject, "private/a"));
    assert!(may(&owner(), Action::PutObject, "public/a"));
    assert!(may(&owner(), Action::GetObject, "private/a"));
    assert!(may(&other(), Action::PutObject, "private/a"));
}

#[test]
fn mistakes_of_the_caller_are_denied() {
    let allow_all = document(&[statement("Allow", r#""*""#, "s3:*", "{}")]);
    let root = root();
    let standing = Standing { owner: Some(&root), policy: Some(&allow_all), acl_allows: true };
    let denied = |action, resource| {
        let answer = authorize(&root, action, resource, &Context::new(), &standing);
        matches!(answer, Err(denied) if *denied.reason() == DenialReason::Inapplicable)
    };
    assert!(denied(Action::GetObject, Resource::Bucket(bucket())));
    assert!(denied(Action::ListBucket, object()));
    assert!(denied(Action::CreateBucket, Resource::Service));
    assert!(denied(Action::ListBucket, Resource::Bucket(BucketName::parse("elsewhere").unwrap())));
}

#[test]
fn an_anonymous_owner_owns_nothing() {
    let standing = Standing { owner: Some(&Principal::Anonymous), ..Standing::default() };
    assert!(authorize(&Principal::Anonymous, Action::GetObject, object(), &Context::new(), &standing).is_err());
}

#[test]
fn a_permit_says_what_was_allowed() {
    let permit = authorize(&root(), Action::GetObject, object(), &Context::new(), &Standing::default()).unwrap();
    assert_eq!((permit.principal(), permit.action(), permit.resource()), (&root(), Action::GetObject, &object()));
}

#[test]
fn a_denial_reads_like_that_of_aws() {
    let deny = document(&[statement("Deny", r#""*""#, "s3:PutObject", "{}")]);
    let text = |who: &Principal, action, policy| {
        let standing = Standing { policy, ..Standing::default() };
        authorize(who, action, object(), &Context::new(), &standing).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        text(&other(), Action::PutObject, Some(&deny)),
        "User: arn:aws:iam::111111111111:user/other is not authorized to perform: s3:PutObject on resource: \
         \"arn:aws:s3:::testfile2/docs/test.txt\" with an explicit deny in a resource-based policy"
    );
    assert_eq!(
        text(&Principal::Anonymous, Action::GetObject, None),
        "User: anonymous is not authorized to perform: s3:GetObject on resource: \
         \"arn:aws:s3:::testfile2/docs/test.txt\" because no resource-based policy allows the s3:GetObject action"
    );
}

/// Policies that parse, with conditions of every operator, and a request with arbitrary values.
fn evaluation() -> impl Strategy<Value = (String, String, String)> {
    let operators = [
        ("StringEquals", "a${aws:username}"),
        ("StringNotEqualsIgnoreCase", "É${s3:prefix}"),
        ("ForAllValues:StringLike", "*${s3:prefix, 'x'}?"),
        ("ForAnyValue:StringNotLikeIfExists", "?*"),
        ("ArnNotLike", "arn:*:${s3:prefix}"),
        ("NumericLessThan", "5"),
        ("DateGreaterThanEquals", "2020-01-01"),
        ("BoolIfExists", "true"),
        ("NotIpAddress", "10.0.0.0/8"),
        ("Null", "true"),
    ];
    let line = (prop::sample::select(operators.to_vec()), prop::sample::select(vec!["s3:prefix", "aws:Referer"]));
    let conditions = prop::collection::btree_map(line.0, line.1, 0..4).prop_map(|lines| {
        let lines: Vec<_> =
            lines.iter().map(|((op, value), name)| format!(r#""{op}":{{"{name}":"{value}"}}"#)).collect();
        format!("{{{}}}", lines.join(","))
    });
    (conditions, "\\PC{0,20}|[0-9TZ:.-]{0,25}", "\\PC{0,20}|[0-9a-f:.]{0,20}")
}

proptest! {
    #[test]
    fn every_request_gets_an_answer_and_a_deny_never_helps((condition, prefix, referer) in evaluation()) {
        let context = Context::new().with("s3:prefix", prefix).with("aws:Referer", referer);
        let allow = statement("Allow", r#""*""#, "s3:ListBucket", &condition);
        let deny = statement("Deny", r#""*""#, "s3:ListBucket", &condition);
        let both = document(&[allow.clone(), deny.clone()]);
        // Whatever the condition says, the same one in a Deny outweighs it in an Allow.
        prop_assert!(ask(&other(), Action::ListBucket, &context, Some(&both)).is_err());
        let allowed = ask(&other(), Action::ListBucket, &context, Some(&document(&[allow]))).is_ok();
        let bound = ask(&owner(), Action::ListBucket, &context, Some(&document(&[deny]))).is_err();
        prop_assert!(!allowed || bound, "what an Allow meets, a Deny meets too");
    }
}
