//! Which queries are accepted.
//!
//! A query comes from a caller: `def f: f; f` runs for ever, and each step of `. + . | . + .` doubles a record. Here a filter has at most
//! one value and no other input than its own, and its value holds the input a limited number of times.

use jaq_core::load::lex::{Lexer, StrPart, Tok, Token};
use jaq_core::load::parse::{BinaryOp, Parser, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

use crate::excerpt::excerpt;

/// The most keys (documentation of AWS CDK and of Terraform's AWS provider).
const MAX_KEYS: usize = 50;
/// The most brackets of a query, and the most words and signs of a key and its value. Lexer, parser, compiler and filters are recursive,
/// and a thread has 2 MiB of stack.
const MAX_BRACKETS: usize = 128;
const MAX_WORDS: usize = 128;
/// How often the texts of all keys hold the record at most, not counting that text may be larger than JSON by a constant factor. Arrays
/// and objects are shared, and copies of them are small.
const MAX_COPIES: usize = 128;
/// The most filters of a query that take more than a few steps for each byte: `join` and those with a regular expression.
const MAX_SEARCHES: usize = 4;
/// The most bytes of a regular expression.
const MAX_PATTERN_BYTES: usize = 64;

const NOT_AN_OBJECT: &str = "accepted is an object, such as {customer_id: .customer_id, device: .type.device}";
const ACCEPTED: &str = "accepted are paths such as .a.b[0] and .a[0:4], literals, `|`, `//`, `?`, `+`, `-`, comparisons, `and`, \
                        `or`, `/` and `%` with a number on the right, `if` with `else`, `try`, `[…]`, and the filters";
/// With their numbers of arguments, which are string literals. All are in jq 1.6. Each takes linear time, some with a guard. `gsub` would
/// take the square.
pub(super) const FILTERS: &str = "\
    ascii_downcase/0 ascii_upcase/0 ceil/0 endswith/1 false/0 first/0 floor/0 fromdate/0 fromdateiso8601/0 \
    has/1 join/1 last/0 length/0 ltrimstr/1 mktime/0 not/0 now/0 null/0 round/0 rtrimstr/1 split/1 \
    startswith/1 strftime/1 strptime/1 sub/2 test/1 todate/0 todateiso8601/0 tojson/0 tonumber/0 tostring/0 \
    true/0 type/0";

fn guard_of(filter: &str) -> Option<&'static str> {
    match filter {
        "join" => Some("few"),
        "length" => Some("positive"),
        "mktime" | "strftime" | "todate" | "todateiso8601" => Some("time"),
        "split" | "sub" | "test" => Some("short"),
        "tonumber" => Some("digits"),
        _ => None,
    }
}

/// The names of the keys, and the query with guards.
pub(super) fn parse(text: &str) -> Result<(Vec<String>, Term<&str>), String> {
    let brackets = text.matches(['(', '[', '{']).count();
    if brackets > MAX_BRACKETS {
        return Err(format!("it has {brackets} brackets; this local Firehose accepts {MAX_BRACKETS}"));
    }
    let tokens = Lexer::new(text).lex().map_err(|errors| {
        errors.first().map_or_else(String::new, |(expected, found)| unexpected(expected.as_str(), found))
    })?;
    match &tokens[..] {
        [Token(object, Tok::Block(members))] if object.starts_with('{') => {
            let members = members.split(|Token(text, _)| *text == ",");
            let searches = members.map(validate_member).sum::<Result<usize, String>>()?;
            if searches > MAX_SEARCHES {
                let most = format!("this local Firehose accepts {MAX_SEARCHES}");
                return Err(format!("it has {searches} filters `join`, `sub` and `test`; {most}"));
            }
        }
        _ => return Err(NOT_AN_OBJECT.to_owned()),
    }
    let term = Parser::new(&tokens).parse(Parser::term).map_err(|errors| {
        let error = errors.first();
        let message = error.map(|(expected, found)| unexpected(expected.as_str(), Token::opt_as_str(*found, text)));
        message.unwrap_or_default()
    })?;
    let Term::Obj(mut members) = term else { return Err(NOT_AN_OBJECT.to_owned()) };

    let (mut keys, mut copies) = (Vec::with_capacity(members.len()), 0_usize);
    for (key, value) in &mut members {
        let name = literal(key).filter(|name| !name.is_empty());
        let name = name.ok_or("a key is neither a name nor a string literal")?;
        let of_value = value.as_mut().map_or(Ok(1), guard).map_err(|problem| format!("{name}: {problem}"))?;
        copies = copies.saturating_add(of_value);
        keys.push(name);
    }
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return Err(format!("it has {} keys; accepted are 1 to {MAX_KEYS}", keys.len()));
    }
    if copies > MAX_COPIES {
        return Err(format!("it can hold a record {copies} times; this local Firehose accepts {MAX_COPIES} times"));
    }
    Ok((keys, Term::Obj(members)))
}

fn unexpected(expected: &str, found: &str) -> String {
    let found = if found.is_empty() { "its end".to_owned() } else { format!("`{}`", excerpt(found, 20)) };
    format!("expected {expected}, found {found}")
}

/// In jq 1.6 a value has no operator but `|`, and neither `if` nor another keyword, unless in parentheses. jaq accepts more, as jq 1.7 does.
/// Returns the number of searches.
fn validate_member(tokens: &[Token<&str>]) -> Result<usize, String> {
    let is_operator = |Token(text, kind): &&Token<&str>| match kind {
        Tok::Word => matches!(*text, "and" | "as" | "def" | "foreach" | "if" | "label" | "or" | "reduce" | "try"),
        Tok::Sym => !matches!(*text, ":" | "|" | "?" | "}") && !text.starts_with('.'),
        _ => false,
    };
    if let Some(Token(found, _)) = tokens.iter().skip(1).find(is_operator) {
        return Err(format!("jq 1.6 accepts `{found}` in a value only in parentheses, as in {{KEY: (.a // \"b\")}}"));
    }
    let words = |Token(text, _): &Token<&str>| text.split_inclusive(|char: char| !char.is_alphanumeric()).count();
    let words: usize = tokens.iter().map(words).sum();
    if words > MAX_WORDS {
        return Err(format!(
            "a key and its value have {words} words and signs; this local Firehose accepts {MAX_WORDS}"
        ));
    }
    // Without the key, which may have the name of a filter.
    validate_paths(tokens.get(1..).unwrap_or_default())
}

/// In jq 1.6 `.[` is only at the start of a path, unlike in jaq. Returns the number of searches.
fn validate_paths(tokens: &[Token<&str>]) -> Result<usize, String> {
    let is_before_path = |Token(text, kind): &Token<&str>| match kind {
        Tok::Word => matches!(*text, "and" | "elif" | "else" | "if" | "or" | "then" | "try"),
        Tok::Sym => *text != "?" && !text.starts_with('.'),
        _ => false,
    };
    for three in tokens.windows(3) {
        if let [before, Token(".", _), Token(brackets, Tok::Block(_))] = three
            && brackets.starts_with('[')
            && !is_before_path(before)
        {
            return Err(format!("jq 1.6 accepts no `.` before the brackets of `.{}`", excerpt(brackets, 20)));
        }
    }
    let searches = tokens.iter().map(|Token(text, kind)| match kind {
        Tok::Word => Ok(usize::from(matches!(*text, "join" | "sub" | "test"))),
        Tok::Block(inner) => validate_paths(inner),
        Tok::Str(parts) => {
            let terms = parts.iter().map(|part| match part {
                StrPart::Term(term) => validate_paths(std::slice::from_ref(term)),
                StrPart::Str(_) | StrPart::Char(_) => Ok(0),
            });
            terms.sum::<Result<usize, String>>()
        }
        _ => Ok(0),
    });
    searches.sum()
}

/// `before | after`
fn pipe<'a>(before: Term<&'a str>, after: Term<&'a str>) -> Term<&'a str> {
    Term::BinOp(Box::new(before), BinaryOp::Pipe(None), Box::new(after))
}

/// Puts guards before filters, and after slices and operands. Returns how often the value holds the input at most.
fn guard(term: &mut Term<&str>) -> Result<usize, String> {
    let refused = |found: &str| {
        let filters = FILTERS.replace(' ', ", ");
        Err(format!("{found} is not supported by this local Firehose; {ACCEPTED} {filters}"))
    };
    Ok(match term {
        Term::Id | Term::Num(_) | Term::Arr(None) => 1,
        Term::Str(None, parts) => {
            let mut copies = 1_usize;
            for part in parts {
                if let StrPart::Term(term) = part {
                    // A quote gets a backslash.
                    copies = copies.saturating_add(guard(term)?.saturating_mul(2));
                }
            }
            copies
        }
        Term::Arr(Some(items)) => guard_items(items)?,
        Term::Neg(term) | Term::TryCatch(term, None) => guard(term)?,
        Term::Path(start, Path(parts)) if parts.iter().all(|(part, _)| is_constant(part)) => {
            let is_slice = matches!(parts.last(), Some((Part::Range(..), _)));
            let copies = guard(start)?;
            if is_slice {
                *term = pipe(std::mem::take(term), Term::Call("few", Vec::new()));
            }
            copies
        }
        Term::Path(..) => return refused("`.[]` or a computed index"),
        Term::IfThenElse(branches, Some(otherwise)) => {
            let mut copies = guard(otherwise)?;
            for (condition, value) in branches {
                copies = copies.max(guard(condition)?).max(guard(value)?);
            }
            copies
        }
        Term::BinOp(left, operator, right) => {
            let is_number = matches!(**right, Term::Num(_));
            let (of_left, of_right) = (guard(left)?, guard(right)?);
            match operator {
                BinaryOp::Pipe(None) => of_left.saturating_mul(of_right),
                BinaryOp::Math(Math::Add | Math::Sub) => {
                    for operand in [left, right] {
                        // Those of a sum in a sum have guards.
                        if !matches!(**operand, Term::BinOp(_, BinaryOp::Math(_), _)) {
                            **operand = pipe(std::mem::take(&mut **operand), Term::Call("few", Vec::new()));
                        }
                    }
                    of_left.saturating_add(of_right)
                }
                BinaryOp::Alt | BinaryOp::And | BinaryOp::Cmp(_) | BinaryOp::Or => of_left.max(of_right),
                BinaryOp::Math(Math::Div | Math::Rem) if is_number => of_left,
                BinaryOp::Math(operator) => return refused(&format!("this use of `{}`", operator.as_str())),
                BinaryOp::Comma => return refused("`,` outside of `[…]`"),
                _ => return refused("an assignment"),
            }
        }
        Term::Call(name, arguments) => {
            let filter = format!("{name}/{}", arguments.len());
            let literals: Option<Vec<String>> = arguments.iter().map(literal).collect();
            let Some(literals) = literals.filter(|_| FILTERS.split(' ').any(|known| known == filter)) else {
                return refused(&format!("this use of `{name}`"));
            };
            let copies = copies(name, &literals)?;
            if let Some(guard) = guard_of(name) {
                *term = pipe(Term::Call(guard, Vec::new()), std::mem::take(term));
            }
            copies
        }
        Term::Recurse => return refused("`..`"),
        Term::Obj(_) => return refused("an object as a value"),
        Term::Def(..) => return refused("`def`"),
        Term::TryCatch(..) => return refused("`catch`"),
        Term::IfThenElse(..) => return refused("`if` without `else`"),
        Term::Fold(name, ..) | Term::Str(Some(name), _) | Term::Var(name) => return refused(&format!("`{name}`")),
        Term::Label(..) | Term::Break(_) => return refused("`label`"),
    })
}

fn guard_items(items: &mut Term<&str>) -> Result<usize, String> {
    match items {
        Term::BinOp(before, BinaryOp::Comma, last) => Ok(guard_items(before)?.saturating_add(guard(last)?)),
        item => guard(item),
    }
}

fn copies(filter: &str, arguments: &[String]) -> Result<usize, String> {
    // jaq panics if a second group matches before the first, as those of `((a)|(b))*` in `ba` do.
    if let ("sub" | "test", Some(pattern)) = (filter, arguments.first())
        && (pattern.len() > MAX_PATTERN_BYTES || pattern.contains('{') || pattern.matches('(').count() > 1)
    {
        let most = format!("this local Firehose accepts {MAX_PATTERN_BYTES} bytes without `{{` and a second `(`");
        return Err(format!("the regular expression of `{filter}` is not supported; {most}"));
    }
    Ok(match filter {
        // Each element may get the text.
        "join" | "sub" => 1 + arguments.last().map_or(0, String::len),
        "tojson" | "tostring" => 2,
        _ => 1,
    })
}

fn literal(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else { return None };
    let text = parts.iter().map(|part| match part {
        StrPart::Str(text) => Some((*text).to_owned()),
        StrPart::Char(char) => Some(char.to_string()),
        StrPart::Term(_) => None,
    });
    text.collect()
}

/// An index or a slice by literals: an array as an index takes the square of the time.
fn is_constant(part: &Part<Term<&str>>) -> bool {
    let is_number = |term: &Term<&str>| match term {
        Term::Neg(term) => matches!(**term, Term::Num(_)),
        other => matches!(other, Term::Num(_)),
    };
    match part {
        Part::Index(index) => is_number(index) || literal(index).is_some(),
        Part::Range(None, None) => false,
        Part::Range(from, to) => from.iter().chain(to).all(is_number),
    }
}
