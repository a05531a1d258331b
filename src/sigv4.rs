//! AWS Signature Version 4, as API Gateway, Lambda function URLs and Secrets Manager verify it.

use std::error::Error;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::header::HeaderValue;
use reqwest::{Body, Request};

/// The keys, and the scope of what they sign.
#[derive(Clone, Debug)]
pub struct Signer {
    /// Lambda sets them once for the life of an environment.
    pub credentials: Credentials,
    /// The region of the service.
    pub region: String,
    /// The service's name in signatures, such as `execute-api`.
    pub service: &'static str,
}

impl Signer {
    /// Adds the headers of the signature, which AWS accepts for five minutes. It covers all headers that the request already has.
    pub fn sign(&self, request: &mut Request, now: SystemTime) -> Result<(), Box<dyn Error + Send + Sync>> {
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = request.headers().iter().map(|(name, value)| Ok((name.as_str(), value.to_str()?)));
        let headers = headers.collect::<Result<Vec<_>, reqwest::header::ToStrError>>()?;
        let body = SignableBody::Bytes(request.body().and_then(Body::as_bytes).unwrap_or_default());
        let signable =
            SignableRequest::new(request.method().as_str(), request.url().as_str(), headers.into_iter(), body)?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        for header in instructions.into_parts().0 {
            let mut value = HeaderValue::from_str(header.value())?;
            value.set_sensitive(true);
            request.headers_mut().insert(header.name(), value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::{Method, Url};

    use super::*;

    /// Vectors of "AWS Signature Version 4 test suite" (AWS General Reference).
    #[test]
    fn signatures_are_those_of_the_test_suite_of_aws() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", secret, None, None, "test");
        let signer = Signer { credentials, region: "us-east-1".to_owned(), service: "service" };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        for (path, signature) in [
            ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        ] {
            let url = Url::parse("https://example.amazonaws.com").unwrap().join(path).unwrap();
            let mut request = Request::new(Method::GET, url);
            signer.sign(&mut request, at).unwrap();
            assert_eq!(request.headers()["x-amz-date"], "20150830T123600Z", "{path}");
            let authorization = &request.headers()["authorization"];
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature={signature}"
            );
            assert_eq!(authorization, expected.as_str(), "{path}");
            assert!(authorization.is_sensitive());
        }
        assert!(!format!("{signer:?}").contains(secret));
    }
}
