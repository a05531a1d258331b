//! The region and the account of a caller, from the signature that it sends. The signature itself is not verified.

use firehose_model::scope::Scope;

/// The region is that of the credential scope; the account is the access key id, if it is one. Other callers have the default scope.
pub(super) fn scope_of(authorization: &str) -> Scope {
    let mut scope = Scope::default();
    // `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=…` (IAM user guide, "Elements of an AWS API
    // request signature").
    let (_, credential) = authorization.split_once("Credential=").unwrap_or_default();
    let mut parts = credential.split([',', ' ']).next().unwrap_or_default().split('/');
    let (key, region) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    // An account id.
    if key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit()) {
        key.clone_into(&mut scope.account);
    }
    // Of a signature for several regions, the scope has none: its third part is the service.
    let is_of_one_region = parts.count() == 2;
    let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if is_of_one_region && !region.is_empty() && region.bytes().all(is_region) {
        region.clone_into(&mut scope.region);
    }
    scope
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_in_the_credential() {
        let usual = "AWS4-HMAC-SHA256 Credential=local/20261120/eu-west-1/firehose/aws4_request, SignedHeaders=host, Signature=0";
        for (header, region, account) in [
            ("", "us-east-1", "000000000000"),
            ("Bearer abc", "us-east-1", "000000000000"),
            ("AWS4-HMAC-SHA256 Credential=anyone", "us-east-1", "000000000000"),
            (usual, "eu-west-1", "000000000000"),
            (&*usual.replace("local", "123456789012"), "eu-west-1", "123456789012"),
            (&*usual.replace("local", "12345678901x"), "eu-west-1", "000000000000"),
            (&*usual.replace("local", "1234567890123"), "eu-west-1", "000000000000"),
            (&*usual.replace(", ", ","), "eu-west-1", "000000000000"),
            (&*usual.replace("eu-west-1", ""), "us-east-1", "000000000000"),
            (&*usual.replace("eu-west-1", "a:b"), "us-east-1", "000000000000"),
            (
                "AWS4-ECDSA-P256-SHA256 Credential=123456789012/20261120/firehose/aws4_request, Signature=0",
                "us-east-1",
                "123456789012",
            ),
        ] {
            let expected = Scope { region: region.to_owned(), account: account.to_owned() };
            assert_eq!(scope_of(header), expected, "{header}");
        }
    }
}
