//! Partition keys by a jq query: the processor `MetadataExtraction`.
//!
//! The query makes an object of partition keys from a record's data (developer guide, "Create partitioning keys with inline parsing").
//! It gets what the function returned: "Deaggregation → Data Transformation via Lambda → Partitioning Keys" ("Apply dynamic partitioning
//! to aggregated data"). Only a part of jq is accepted, see [`Query::parse`].

mod syntax;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jaq_core::data::JustLut;
use jaq_core::load::parse::Def;
use jaq_core::load::{Arena, File, Lexer, Loader, Parser};
use jaq_core::{Compiler, Ctx, Vars};
use jaq_json::Val;
use jaq_std::ValT as _;

use crate::delivery::{ErrorCode, PartitionKeys};

const MAIN: &str = "query";
const DEFINITIONS: &str = include_str!("query/definitions.jq");

type Program = jaq_core::Filter<JustLut<Val>>;

/// A query. Clones share it.
#[derive(Clone)]
pub struct Query {
    text: Arc<str>,
    keys: Arc<[String]>,
    program: Arc<Program>,
}

impl Query {
    /// Compiles a query. The error is for the user.
    ///
    /// It is an object `{KEY: FILTER, …}` in the syntax of jq 1.6, which Firehose has. Neither jq nor jaq limits time or memory. So only
    /// filters are accepted that have at most one value, in time and memory in proportion to the record: there are no variables,
    /// definitions, loops and iterators.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (keys, body) = syntax::parse(text)?;
        let tokens = Lexer::new(DEFINITIONS).lex().unwrap_or_default();
        let own = Parser::new(&tokens).parse(Parser::defs).unwrap_or_default();
        let library = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).chain(own);
        let mut definitions: Vec<Def<&str>> = library.collect();
        // As a definition, what is compiled is what was validated.
        definitions.push(Def { name: MAIN, args: Vec::new(), body });
        let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(definitions).load(&arena, File { code: MAIN, path: () });
        let program: Option<Program> =
            modules.ok().and_then(|modules| Compiler::default().with_funs(functions).compile(modules).ok());
        let program = Arc::new(program.ok_or("it could not be compiled")?);
        Ok(Self { text: text.into(), keys: keys.into(), program })
    }

    /// The names of its keys.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The partition keys of a record's data. Numbers and booleans are texts as jq 1.6 prints them, but for exponents; other values are
    /// no keys. Both are assumptions.
    pub fn keys_of(&self, data: &[u8]) -> Result<PartitionKeys, ErrorCode> {
        // Its recursion is limited, and it accepts neither a second value nor what only jq takes for JSON.
        let record: Val = serde_json::from_slice(data).map_err(|_| ErrorCode::NotJson)?;
        // jaq has panics; those that are known have guards.
        let found = catch_unwind(AssertUnwindSafe(|| {
            let context = Ctx::<JustLut<Val>>::new(&self.program.lut, Vars::new([]));
            // The first object counts, which is an assumption. A query has no other.
            self.program.id.run((context, record)).next()?.ok()
        }));
        let Ok(Some(Val::Obj(found))) = found else { return Err(ErrorCode::NoPartition) };
        Ok(found.iter().filter_map(|(key, value)| Some((text(key)?, text(value)?))).collect())
    }
}

fn text(value: &Val) -> Option<String> {
    match value {
        Val::TStr(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        Val::Bool(bool) => Some(bool.to_string()),
        // Shortest digits, as jq has them.
        Val::Num(_) => value.as_f64().filter(|number| number.is_finite()).map(|number| number.to_string()),
        _ => None,
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Query").field(&self.text).finish()
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Query {}

#[cfg(test)]
mod tests;
