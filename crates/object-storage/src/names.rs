//! The names of objects in a folder: each key has its own, and can be decoded from it. The rules are in the README, "Keys in a folder".

use uuid::Uuid;

/// The longest file name, without the `#` and the number of an unfinished file, and without what is appended (Linux and macOS: 255 bytes).
const MAX_NAME_BYTES: usize = 240;

const CONTINUES: &str = "%-";
pub(super) const BELOW: &str = "%+";
pub(super) const ABOVE: &str = "%=";

pub(super) fn encoded(key: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in key.split('/') {
        encode(part, &mut names);
    }
    if let Some(file) = names.last_mut()
        && let Some(object) = unfinished(file).map(str::len)
    {
        file.replace_range(object..=object, "%23");
    }
    names
}

fn encode(part: &str, names: &mut Vec<String>) {
    let mut name = String::new();
    for (index, character) in part.char_indices() {
        let as_is = &part[index..index + character.len_utf8()];
        let mut code = match character {
            '%' if reads_as_encoded(&part[index + 1..]) => Some("%25".to_owned()),
            control if control.is_ascii_control() => Some(format!("%{:02X}", u32::from(control))),
            _ => None,
        };
        if name.len() + code.as_deref().unwrap_or(as_is).len() > MAX_NAME_BYTES {
            names.push(std::mem::take(&mut name) + CONTINUES);
            // Otherwise the rest would be a hidden file, which redrive does not read.
            if character == '.' {
                code = Some("%2E".to_owned());
            }
        }
        name.push_str(code.as_deref().unwrap_or(as_is));
    }
    names.push(match name.as_str() {
        "" => "%".to_owned(),
        "%" => "%25".to_owned(),
        "." | ".." => name.replace('.', "%2E"),
        _ => name,
    });
}

fn reads_as_encoded(rest: &str) -> bool {
    matches!(rest, "-" | "+" | "=") || code(rest).is_some()
}

fn code(digits: &str) -> Option<char> {
    let digits = digits
        .get(..2)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()))?;
    let character = char::from(u8::from_str_radix(digits, 16).ok()?);
    (matches!(character, '.' | '#' | '%') || character.is_ascii_control()).then_some(character)
}

/// A name that no key has, of a file from elsewhere, is its own key.
pub(super) fn decoded(name: &str) -> String {
    let (mut key, mut plain) = (String::new(), Vec::new());
    let mut names = name.split('/').peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        let name = name.strip_suffix(if is_last { ABOVE } else { BELOW }).unwrap_or(name);
        plain.push(name.to_owned());
        let part = name.strip_suffix(CONTINUES).filter(|_| !is_last);
        decode(part.unwrap_or(name), &mut key);
        if part.is_none() && !is_last {
            key.push('/');
        }
    }
    if encoded(&key) == plain { key } else { name.to_owned() }
}

fn decode(name: &str, key: &mut String) {
    if name == "%" {
        return;
    }
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        key.push_str(before);
        let code = code(after);
        key.push(code.unwrap_or('%'));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    key.push_str(rest);
}

/// The name without the `#` and the number of an unfinished file of `LocalFileSystem`; none for other files.
pub(super) fn unfinished(name: &str) -> Option<&str> {
    let (object, number) = name.rsplit_once('#')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(object)
}

pub(super) fn is_unfinished(name: &str) -> bool {
    let Some(object) = unfinished(name) else { return false };
    let object = object.strip_suffix(ABOVE).unwrap_or(object);
    // An extension may be any, and have dots.
    let mut ends = object.match_indices('.').map(|(dot, _)| dot).chain([object.len()]);
    let id_before = |end: usize| end.checked_sub(36).and_then(|start| object.get(start..end));
    ends.any(|end| id_before(end).is_some_and(|id| Uuid::try_parse(id).is_ok()))
}
