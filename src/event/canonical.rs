//! The canonical form of an event: as a page writes one that has nothing but the fields to keep.

use crate::key;

/// The most bytes of a required field: a Cognito `sub` has 36.
pub(super) const MAX_TEXT_BYTES: usize = 256;

/// Events whose members are exactly the fields to keep, in their order, as strings without white space or escapes, optionally with a
/// newline. Their members are copied to the line. Without this fast path a batch takes 1.4 times the instructions.
#[derive(Clone, Debug)]
pub(super) struct Canonical(Vec<CanonicalField>);

#[derive(Clone, Debug)]
struct CanonicalField {
    /// What is before the string's text, such as `,"name":"`.
    opening: String,
    kind: Kind,
}

/// How a member's text is validated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Key,
    Required,
    Optional,
}

impl Canonical {
    /// The form of events with these members, each as its name and colon in JSON.
    pub(super) fn new(members: &[(&str, Kind)]) -> Self {
        let field = |(index, (member, kind)): (usize, &(&str, Kind))| {
            let comma = if index == 0 { "" } else { "," };
            CanonicalField { opening: format!("{comma}{member}\""), kind: *kind }
        };
        Self(members.iter().enumerate().map(field).collect())
    }

    /// The members and the key of an event in this form.
    pub(super) fn parse<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str)> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let members = text.strip_prefix('{')?.strip_suffix('}')?;
        let mut rest = members;
        let mut key = None;
        for field in &self.0 {
            let (value, after) = rest.strip_prefix(&*field.opening)?.split_once('"')?;
            let is_canonical = match field.kind {
                Kind::Key => {
                    key = Some(value);
                    value.len() <= key::MAX_CHARS && key::is_url_safe(value)
                }
                Kind::Required => value.len() <= MAX_TEXT_BYTES && is_unescaped(value),
                Kind::Optional => is_unescaped(value),
            };
            if !is_canonical {
                return None;
            }
            rest = after;
        }
        if rest.is_empty() { Some((members, key?)) } else { None }
    }

    /// The text of the field at `index` in members from [`Canonical::parse`].
    pub(super) fn text<'a>(&self, members: &'a str, index: usize) -> &'a str {
        let texts = self.0.iter().scan(members, |rest, field| {
            let (text, after) = rest.strip_prefix(&*field.opening)?.split_once('"')?;
            *rest = after;
            Some(text)
        });
        texts.into_iter().nth(index).unwrap_or_default()
    }
}

fn is_unescaped(text: &str) -> bool {
    key::all_bytes(text, |byte| byte >= b' ' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::event::EventFormat;

    fn canonical(variables: &[(&str, &str)]) -> Option<Canonical> {
        let url = ("LOOKUP_API_URL", "http://127.0.0.1");
        EventFormat::new(&Config::read(&variables.iter().copied().chain([url]).collect()).unwrap()).canonical
    }

    #[test]
    fn other_forms_are_left_to_serde() {
        let form = canonical(&[]).unwrap();
        for (text, expected) in [
            (r#"{"userId":"u","mysfitId":"m"}"#, Some(["u", "m"])),
            (r#"{"userId":"","mysfitId":"m"}"#, Some(["", "m"])),
            ("{\"userId\":\"u\",\"mysfitId\":\"m\"}\n", Some(["u", "m"])),
            ("{\"userId\":\"u\",\"mysfitId\":\"m\"}\n\n", None),
            ("{\"userId\":\"\u{7f}é\",\"mysfitId\":\"m\"}", Some(["\u{7f}é", "m"])),
            (r#"{"userId":"u","mysfitId":"m"}{"userId":"v","mysfitId":"n"}"#, None),
            (r#"{"userId":"u","mysfitId":"m","x":1}"#, None),
            (r#"{"mysfitId":"m","userId":"u"}"#, None),
            (r#"{"userId":"\n","mysfitId":"m"}"#, None),
            (r#"{"userId":"u","mysfitId":"\u006d"}"#, None),
            (r#"{"userId": "u","mysfitId":"m"}"#, None),
            ("{\"userId\":\"\n\",\"mysfitId\":\"m\"}", None),
            (r#"{"userId":"u","mysfitId":""}"#, None),
            (r#"{"userId":"u","mysfitId":7}"#, None),
            (r#"{"userId":"u","mysfitId":"m"}} "#, None),
            (r#"{"userId":"u","mysfitId":"m""#, None),
        ] {
            let found = form.parse(text);
            let texts = found.map(|(members, _)| [0, 1].map(|index| form.text(members, index)));
            assert_eq!((texts, found.map(|(_, key)| key)), (expected, expected.map(|[_, key]| key)), "{text}");
        }
    }

    #[test]
    fn only_members_under_their_own_names_have_the_form() {
        for (variables, has_form) in [
            (&[("EVENT_FIELDS", "mysfitId,page,userId")][..], true),
            (&[("EVENT_FIELDS", "mysfitId"), ("REQUIRED_FIELDS", "none")], true),
            (&[("EVENT_FIELDS", "mysfitId")], false),
            (&[("EVENT_FIELDS", "userId")], false),
            (&[("EVENT_FIELDS", "userId,mysfitId,*")], false),
            (&[("EVENT_FIELDS", "userId,mysfitId,a=/a")], false),
            (&[("LOOKUP_KEY", "mysfitId=/mysfitId")], false),
        ] {
            assert_eq!(canonical(variables).is_some(), has_form, "{variables:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_form_is_parsed_as_by_serde(user in "[ -~\\x00-\\x20é\\x7f]{0,8}", mysfit in "[a-z_\\-\"\\\\ ]{0,4}", end in "[}\n]{0,2}") {
            let text = format!(r#"{{"userId":"{user}","mysfitId":"{mysfit}"{end}"#);
            let form = canonical(&[]).unwrap();
            if let Some((members, key)) = form.parse(&text) {
                let event: serde_json::Value = serde_json::from_str(&text).unwrap();
                proptest::prop_assert_eq!(&event, &serde_json::json!({"userId": form.text(members, 0), "mysfitId": key}));
                proptest::prop_assert_eq!(text.trim_end(), format!("{{{members}}}"));
            }
        }
    }
}
